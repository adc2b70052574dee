package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"slices"
)

// words are fields that hold what people read. Which words these are decides nothing, and a test that holds them repeats the code.
var words = []string{"Description", "Example", "Help", "Hint", "Long", "Message", "Short", "Usage"}

// talking are packages whose calls make words of what they get: messages, errors, lines of the log.
var talking = []string{"errors", "fmt", "github.com/go-logr/logr", "log", "log/slog"}

// elements of a list are left out one at a time: a check of a table, a source of several. In a list within a list, whose type is not
// written, they are not: no call can take the place of such a literal.
func (f *finder) elements(n *ast.CompositeLit) {
	if _, list := f.underlying(n).(*types.Slice); !list || n.Type == nil || len(n.Elts) < 2 || f.isSaid() {
		return
	}
	for i, element := range n.Elts {
		if _, keyed := element.(*ast.KeyValueExpr); keyed {
			return
		}
		f.add(element, "drop element", func(m *mutant, number int) {
			f.wrap(m, n, fmt.Sprintf("mutant__less(%d, %d, ", number, i), ")")
		})
	}
}

// field of a literal becomes zero, such as the resourceVersion of a precondition. What is made there, such as a function, is dropped.
func (f *finder) field(n *ast.KeyValueExpr) {
	declared := f.declared(n)
	made := isMade(n.Value)
	if made || f.body() == nil { // entries of a map, and words of a table, are no wiring
		if declared == nil || f.isSaid() || slices.Contains(words, f.text(n.Key)) {
			return
		}
	}
	if !f.canBeZero(n.Value) {
		return
	}
	node, kind := ast.Node(n.Value), "zero "+short(f.text(n.Key))
	if made {
		node, kind = n, "drop element"
	}
	f.add(node, kind, func(m *mutant, number int) {
		if literal := f.parent().(*ast.CompositeLit); literal.Type != nil && declared != nil && types.IsInterface(declared) && !types.IsInterface(f.typeOf(n.Value)) {
			f.unset(m, number, literal, f.text(n.Key))
			return
		}
		f.wrap(m, n.Value, fmt.Sprintf("mutant__zero(%d, ", number), ")")
	})
}

// isMade reports whether a value is made where it stands: a literal, its address, a function.
func isMade(value ast.Expr) bool {
	switch value := ast.Unparen(value).(type) {
	case *ast.CompositeLit, *ast.FuncLit:
		return true
	case *ast.UnaryExpr:
		return value.Op == token.AND
	}
	return false
}

// declared is the type of the field that is set in a literal of a struct, nil in a literal of something else.
func (f *finder) declared(n *ast.KeyValueExpr) types.Type {
	t := f.underlying(f.parent().(*ast.CompositeLit))
	if pointer, ok := t.(*types.Pointer); ok { // in a list of pointers, where & is not written
		t = pointer.Elem().Underlying()
	}
	structure, ok := t.(*types.Struct)
	if !ok {
		return nil
	}
	for field := range structure.Fields() {
		if field.Name() == f.text(n.Key) {
			return field.Type()
		}
	}
	return nil
}

// unset leaves out a field that holds an interface: the zero of its value would be a pointer within an interface, which is not nil.
func (f *finder) unset(m *mutant, number int, literal *ast.CompositeLit, name string) {
	node, made := ast.Node(literal), f.text(literal.Type)
	if address, ok := f.path[max(0, len(f.path)-3)].(*ast.UnaryExpr); ok && address.Op == token.AND {
		node, made = address, "*"+made
	}
	f.wrap(m, node, fmt.Sprintf("mutant__edit(%d, ", number), fmt.Sprintf(", func(made *%s) { (*made).%s = nil })", made, name))
}

// isSaid reports whether the node at hand is only a part of words: an argument of fmt, of an error, of the log, or a field of such.
func (f *finder) isSaid() bool {
	for i := len(f.path) - 2; i >= 0; i-- {
		switch above := f.path[i].(type) {
		case ast.Stmt, *ast.FuncLit:
			return false
		case *ast.CallExpr:
			if f.isTalking(above) {
				return true
			}
		case *ast.KeyValueExpr:
			if slices.Contains(words, f.text(above.Key)) {
				return true
			}
		}
	}
	return false
}

// isTalking reports whether a call makes words of its arguments, as one does that takes any number of values of any type.
func (f *finder) isTalking(call *ast.CallExpr) bool {
	if called, ok := f.underlying(call.Fun).(*types.Signature); ok && called.Variadic() {
		list, _ := called.Params().At(called.Params().Len() - 1).Type().(*types.Slice)
		if list != nil && types.Identical(list.Elem().Underlying(), types.NewInterfaceType(nil, nil)) {
			return true
		}
	}
	callee := f.callee(call)
	return callee != nil && callee.Pkg() != nil && slices.Contains(talking, callee.Pkg().Path())
}

// callee is what a call names, nil where it is no name.
func (f *finder) callee(call *ast.CallExpr) types.Object {
	called := ast.Unparen(call.Fun)
	switch instance := called.(type) { // of a generic function
	case *ast.IndexExpr:
		called = instance.X
	case *ast.IndexListExpr:
		called = instance.X
	}
	switch name := called.(type) {
	case *ast.Ident:
		return f.info.Uses[name]
	case *ast.SelectorExpr:
		return f.info.Uses[name.Sel]
	}
	return nil
}
