package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// find lists the mutants of a package, in the order of its files.
func find(s *source) []*mutant {
	var found []*mutant
	for _, file := range s.files {
		if ast.IsGenerated(file) {
			continue
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Body == nil {
					continue
				}
				name := d.Name.Name
				if d.Recv != nil {
					name = strings.TrimPrefix(s.text(d.Recv.List[0].Type), "*") + "." + name
				}
				newFinder(s, name, &found).walk(d.Body)
			case *ast.GenDecl: // tables, and functions in them
				for _, spec := range d.Specs {
					if variable, ok := spec.(*ast.ValueSpec); ok && d.Tok == token.VAR {
						newFinder(s, variable.Names[0].Name, &found).walk(variable)
					}
				}
			}
		}
	}
	return found
}

// walk visits a declaration or a body with the nodes above each node at hand.
func (f *finder) walk(top ast.Node) {
	ast.Inspect(top, func(n ast.Node) bool {
		if n == nil {
			f.path = f.path[:len(f.path)-1]
			return false
		}
		f.path = append(f.path, n)
		f.wiring(n)
		if f.body() != nil {
			f.visit(n)
		}
		return true
	})
}

// body is that of the function at hand, the outermost one, nil in a table.
func (f *finder) body() ast.Node {
	for _, n := range f.path {
		if block, ok := n.(*ast.BlockStmt); ok {
			return block
		}
	}
	return nil
}

func (f *finder) parent() ast.Node {
	if len(f.path) < 2 {
		return nil
	}
	return f.path[len(f.path)-2]
}

// wiring is what puts things together, in functions and in tables.
func (f *finder) wiring(n ast.Node) {
	switch n := n.(type) {
	case *ast.CompositeLit:
		f.elements(n)
	case *ast.KeyValueExpr:
		f.field(n)
	case *ast.CallExpr:
		f.swaps(n)
	}
}

func (f *finder) visit(n ast.Node) {
	switch n := n.(type) {
	case ast.Stmt:
		f.statement(n)
	case *ast.BinaryExpr:
		f.operands(n)
		f.boundary(n)
		f.arithmetic(n)
	case *ast.CallExpr:
		f.normalisation(n)
		f.moment(n)
	}
}

func (f *finder) statement(n ast.Stmt) {
	switch n := n.(type) {
	case *ast.IfStmt:
		f.condition(n.Cond)
	case *ast.CaseClause:
		f.cases(n)
	case *ast.ReturnStmt:
		f.results(n)
		f.dropReturn(n)
	case *ast.BranchStmt:
		if n.Tok == token.BREAK || n.Tok == token.CONTINUE {
			f.drop(n, "drop "+n.Tok.String())
		}
	case *ast.ExprStmt:
		f.dropCall(n)
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			f.drop(n, "drop assignment")
		}
	case *ast.IncDecStmt:
		f.drop(n, "drop count")
	}
}

// isSimple reports whether a condition is no && or ||, whose parts are mutated each for itself.
func isSimple(expr ast.Expr) bool {
	binary, ok := ast.Unparen(expr).(*ast.BinaryExpr)
	return !ok || binary.Op != token.LAND && binary.Op != token.LOR
}

// force makes a condition always true, or always false.
func (f *finder) force(expr ast.Expr, to bool) {
	if !f.isBool(expr) {
		return
	}
	operator, kind := "&& !", "never"
	if to {
		operator, kind = "|| ", "always"
	}
	f.add(expr, kind, func(m *mutant, n int) {
		f.wrap(m, expr, "((", fmt.Sprintf(") %smutant__(%d))", operator, n))
	})
}

// condition of an if. One that has parts is false as a whole where each part must hold, and true where one is enough.
func (f *finder) condition(expr ast.Expr) {
	binary, _ := ast.Unparen(expr).(*ast.BinaryExpr)
	switch {
	case isSimple(expr):
		f.force(expr, true)
		f.force(expr, false)
	case binary.Op == token.LAND:
		f.force(expr, false)
	default:
		f.force(expr, true)
	}
}

// operands of && and || are left out one at a time.
func (f *finder) operands(n *ast.BinaryExpr) {
	if n.Op != token.LAND && n.Op != token.LOR {
		return
	}
	for _, part := range []ast.Expr{n.X, n.Y} {
		if inner, ok := ast.Unparen(part).(*ast.BinaryExpr); ok && inner.Op == n.Op {
			continue // its own parts are left out
		}
		f.force(part, n.Op == token.LAND)
	}
}

// cases of a switch without a tag are conditions.
func (f *finder) cases(n *ast.CaseClause) {
	for _, expr := range n.List {
		if statement, ok := f.path[len(f.path)-3].(*ast.SwitchStmt); ok && statement.Tag == nil {
			f.force(expr, false)
			f.force(expr, true)
		}
	}
}

// boundary moves the end of a comparison by one.
func (f *finder) boundary(n *ast.BinaryExpr) {
	if f.isConstant(n) || !f.isBool(n) {
		return
	}
	equal := fmt.Sprintf("(%s) == (%s)", f.text(n.X), f.text(n.Y))
	switch n.Op {
	case token.LSS, token.GTR:
		f.add(n, "boundary", func(m *mutant, number int) {
			f.wrap(m, n, "((", fmt.Sprintf(") || mutant__(%d) && %s)", number, equal))
		})
	case token.LEQ, token.GEQ:
		f.add(n, "boundary", func(m *mutant, number int) {
			f.wrap(m, n, "((", fmt.Sprintf(") && !(mutant__(%d) && %s))", number, equal))
		})
	}
}

// moment moves the end of a comparison of two times.
func (f *finder) moment(n *ast.CallExpr) {
	method, ok := n.Fun.(*ast.SelectorExpr)
	if !ok || len(n.Args) != 1 || method.Sel.Name != "Before" && method.Sel.Name != "After" || !f.isBool(n) {
		return
	}
	equal := fmt.Sprintf("%s.Equal(%s)", f.text(method.X), f.text(n.Args[0]))
	f.add(n, "boundary", func(m *mutant, number int) {
		f.wrap(m, n, "((", fmt.Sprintf(") || mutant__(%d) && %s)", number, equal))
	})
}

// arithmetic leaves out the second operand of a sum.
func (f *finder) arithmetic(n *ast.BinaryExpr) {
	basic, ok := f.underlying(n).(*types.Basic)
	if !ok || basic.Info()&types.IsNumeric == 0 || f.isConstant(n) || n.Op != token.ADD && n.Op != token.SUB || f.isConstant(n.X) {
		return
	}
	f.add(n, "drop operand", func(m *mutant, number int) {
		f.wrap(m, n, fmt.Sprintf("mutant__other(%d, (", number), fmt.Sprintf("), (%s))", f.text(n.X)))
	})
}

func (f *finder) underlying(expr ast.Expr) types.Type {
	if t := f.typeOf(expr); t != nil {
		return t.Underlying()
	}
	return nil
}
