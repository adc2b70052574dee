package main

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
)

// drop leaves a statement out.
func (f *finder) drop(n ast.Stmt, kind string) {
	if !f.isInBlock() {
		return
	}
	f.add(n, kind, func(m *mutant, number int) {
		f.wrap(m, n, fmt.Sprintf("if !mutant__(%d) { ", number), " }")
	})
}

// isInBlock reports whether the node at hand is a statement of a block, and not the beginning of an if or a for.
func (f *finder) isInBlock() bool {
	switch f.parent().(type) {
	case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause:
		return true
	}
	return false
}

// dropCall leaves a call out. Of a lock the call that gives it back goes, too: so only the race detector can tell.
func (f *finder) dropCall(n *ast.ExprStmt) {
	call, ok := n.X.(*ast.CallExpr)
	if !ok || f.text(call.Fun) == "panic" || f.isLogging(call) {
		return
	}
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) > 0 || !slices.Contains([]string{"Lock", "RLock", "Unlock", "RUnlock"}, method.Sel.Name) {
		f.drop(n, "drop call")
		return
	}
	if method.Sel.Name == "Lock" || method.Sel.Name == "RLock" {
		f.dropLock(n, f.text(method.X))
	}
}

// isLogging reports whether a call writes a line of the log. What is logged decides nothing.
func (f *finder) isLogging(call *ast.CallExpr) bool {
	method, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	t := f.typeOf(method.X)
	return t != nil && (t.String() == "github.com/go-logr/logr.Logger" || t.String() == "*log/slog.Logger")
}

// dropLock leaves a lock out with each call of the function that gives it back.
func (f *finder) dropLock(n ast.Stmt, lock string) {
	body := f.body()
	m := f.add(n, "drop lock", func(m *mutant, number int) {
		f.wrap(m, n, fmt.Sprintf("if !mutant__(%d) { ", number), " }")
		ast.Inspect(body, func(node ast.Node) bool {
			statement, isStatement := node.(ast.Stmt)
			var call *ast.CallExpr
			switch s := node.(type) {
			case *ast.DeferStmt:
				call = s.Call
			case *ast.ExprStmt:
				call, _ = s.X.(*ast.CallExpr)
			}
			if text := ""; isStatement && call != nil {
				if text = f.text(call); text == lock+".Unlock()" || text == lock+".RUnlock()" {
					f.wrap(m, statement, fmt.Sprintf("if !mutant__(%d) { ", number), " }")
				}
			}
			return true
		})
	})
	m.race = true
}

// dropReturn leaves an early return out: what comes next runs. One that nothing follows cannot go.
func (f *finder) dropReturn(n *ast.ReturnStmt) {
	if f.isFollowed() {
		f.drop(n, "drop return")
	}
}

// isFollowed reports whether code runs after the statement at hand where it does not leave the function.
func (f *finder) isFollowed() bool {
	for i := len(f.path) - 1; i > 0; i-- {
		if !isLast(f.path[i-1], f.path[i]) {
			return true
		}
		switch above := f.path[i-1].(type) {
		case *ast.IfStmt:
			if above.Else == nil {
				return true
			}
		case *ast.RangeStmt:
			return true
		case *ast.ForStmt:
			return above.Cond != nil
		case *ast.FuncLit:
			return false
		}
	}
	return false
}

// isLast reports whether a statement is the last one of a block, or no statement of one.
func isLast(block, statement ast.Node) bool {
	var list []ast.Stmt
	switch b := block.(type) {
	case *ast.BlockStmt:
		if len(b.List) > 0 {
			if _, ok := b.List[0].(*ast.CaseClause); ok {
				return true
			}
		}
		list = b.List
	case *ast.CaseClause:
		list = b.Body
	}
	return len(list) == 0 || list[len(list)-1] == statement
}

// results of a function become zero: nil, false, an error that is forgotten.
func (f *finder) results(n *ast.ReturnStmt) {
	for _, result := range n.Results {
		switch {
		case f.isBool(result):
			if isSimple(result) {
				f.force(result, true)
			}
			f.force(result, false)
		case isError(f.typeOf(result)):
			f.zero(result, "forget error")
		default:
			f.zero(result, "zero result")
		}
	}
}

// zero puts the zero value in place of an expression.
func (f *finder) zero(expr ast.Expr, kind string) {
	if !f.canBeZero(expr) {
		return
	}
	f.add(expr, kind, func(m *mutant, number int) {
		f.wrap(m, expr, fmt.Sprintf("mutant__zero(%d, ", number), ")")
	})
}

// canBeZero reports whether an expression has a value that is not zero as far as one can see, and whose type Go infers.
func (f *finder) canBeZero(expr ast.Expr) bool {
	t := f.info.Types[expr]
	if t.Type == nil || t.IsNil() || !t.IsValue() || isZero(t) {
		return false
	}
	if _, tuple := t.Type.(*types.Tuple); tuple {
		return false
	}
	if literal, ok := expr.(*ast.CompositeLit); ok && len(literal.Elts) == 0 {
		return false
	}
	if _, basic := t.Type.(*types.Basic); f.isConstant(expr) && !basic {
		if _, name := expr.(*ast.BasicLit); name {
			return false // it has another type without its context
		}
	}
	return true
}

func isZero(t types.TypeAndValue) bool {
	if t.Value == nil {
		return false
	}
	text := t.Value.ExactString()
	return text == "0" || text == `""` || text == "false"
}

// normalisation leaves out a call that gives back what it takes, in another form.
func (f *finder) normalisation(n *ast.CallExpr) {
	value := f.info.Types[n]
	if value.Type == nil || !value.IsValue() || !f.isFunction(n.Fun) {
		return
	}
	if _, alone := f.parent().(*ast.ExprStmt); alone {
		return // nobody takes what it gives back: what it does is left out by dropCall
	}
	if method, ok := n.Fun.(*ast.SelectorExpr); ok && f.has(method.X, value.Type) {
		if isPath(method.X) {
			f.other(n, method.X)
		}
		return
	}
	if len(n.Args) == 0 || !f.has(n.Args[0], value.Type) || isError(value.Type) {
		return
	}
	f.without(n)
}

// without leaves out a call that gives what its first argument is.
func (f *finder) without(n *ast.CallExpr) {
	if isPath(n.Args[0]) {
		f.other(n, n.Args[0])
	} else if len(n.Args) == 1 && !f.isConstant(n.Args[0]) {
		f.skip(n)
	}
}

// isFunction reports whether what is called is a function, and no conversion and no builtin.
func (f *finder) isFunction(called ast.Expr) bool {
	return !f.info.Types[called].IsType() && !f.info.Types[called].IsBuiltin()
}

// has reports whether an expression has a type.
func (f *finder) has(expr ast.Expr, one types.Type) bool {
	own := f.typeOf(expr)
	return own != nil && types.Identical(own, one)
}

func (f *finder) other(n *ast.CallExpr, instead ast.Expr) {
	f.add(n, "skip call", func(m *mutant, number int) {
		f.wrap(m, n, fmt.Sprintf("mutant__other(%d, ", number), fmt.Sprintf(", %s)", f.text(instead)))
	})
}

func (f *finder) skip(n *ast.CallExpr) {
	f.add(n, "skip call", func(m *mutant, number int) {
		f.wrap(m, n, fmt.Sprintf("mutant__skip(%d, ", number), "") // the call's own ) ends it
		m.edits = append(m.edits, edit{offset: f.fset.Position(n.Lparen).Offset, removed: 1, text: ", "})
	})
}

// isPath reports whether an expression is a name or a field of one: it can be read twice.
func isPath(expr ast.Expr) bool {
	switch e := expr.(type) {
	case *ast.Ident:
		return true
	case *ast.SelectorExpr:
		return isPath(e.X)
	}
	return false
}
