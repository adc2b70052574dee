package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"slices"
)

// symmetric functions give the same for their arguments the other way round: those of libraries, and our own.
var symmetric = []string{
	"ConstantTimeCompare", "DeepEqual", "Equal", "EqualFold", "Identical",
	"correct", "earliest", "latest", "sameAnswer", "sameImage",
}

// swaps exchanges two neighbouring arguments of one type, which the compiler lets pass. Those of builtins are left alone: of make they are
// sizes, of min and max their order is nothing, and in append it is the order in which something is said or collected.
func (f *finder) swaps(n *ast.CallExpr) {
	called, ok := f.underlying(n.Fun).(*types.Signature)
	if !ok || !f.isFunction(n.Fun) || f.isTalking(n) || f.isSaid() {
		return
	}
	for i := range len(n.Args) - 1 {
		first, second := parameter(called, i, n.Ellipsis), parameter(called, i+1, n.Ellipsis)
		if f.differ(n.Args[i], n.Args[i+1]) && types.Identical(first, second) && !f.isSet(first, n.Args[i], n.Args[i+1]) {
			f.swap(n, i)
		}
	}
}

// swap exchanges two arguments as they arrive in the function. Of a generic one whose types are inferred no value can be taken: there the
// two are exchanged on their way, which Go allows where there are no others.
func (f *finder) swap(n *ast.CallExpr, i int) {
	arguments, callee := between{n.Args[i], n.Args[i+1]}, f.callee(n)
	wrapped, helper := ast.Node(n.Fun), "mutant__flip"
	switch {
	case callee == nil:
	case slices.Contains(symmetric, callee.Name()):
		return
	case isGeneric(callee.Type()):
		if len(n.Args) > 2 || n.Ellipsis.IsValid() {
			return
		}
		wrapped, helper = arguments, "mutant__swap"
	}
	f.add(arguments, "swap in "+short(f.text(n.Fun)), func(m *mutant, number int) {
		f.wrap(m, wrapped, fmt.Sprintf("%s(%d, %d, ", helper, number, i), ")")
	})
}

// differ reports whether two arguments have one type, and are not the same.
func (f *finder) differ(a, b ast.Expr) bool {
	one, other := f.info.Types[a], f.info.Types[b]
	if one.Type == nil || other.Type == nil || !types.Identical(one.Type, other.Type) || f.text(a) == f.text(b) {
		return false
	}
	return one.Value == nil || other.Value == nil || !constant.Compare(one.Value, token.EQL, other.Value)
}

func isGeneric(t types.Type) bool {
	signature, ok := t.(*types.Signature)
	return ok && signature.TypeParams().Len() > 0
}

// isSet reports whether a parameter takes any number of what has no order: functions, which are options, or constants, which are the ways
// to write something.
func (f *finder) isSet(parameter types.Type, a, b ast.Expr) bool {
	list, ok := parameter.(*types.Slice)
	if !ok {
		return false
	}
	_, function := list.Elem().Underlying().(*types.Signature)
	return function || f.isConstant(a) && f.isConstant(b)
}

// parameter is the type of that which takes the argument i. All that a variadic one takes share its own type.
func parameter(called *types.Signature, i int, spread token.Pos) types.Type {
	all := called.Params()
	if last := all.Len() - 1; called.Variadic() && !spread.IsValid() && i > last {
		i = last
	}
	return all.At(min(i, all.Len()-1)).Type()
}

// between is from the beginning of one expression to the end of another.
type between struct{ first, last ast.Expr }

func (b between) Pos() token.Pos { return b.first.Pos() }
func (b between) End() token.Pos { return b.last.End() }
