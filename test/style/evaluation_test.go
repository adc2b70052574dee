package style

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// Go does not say whether `return x, f(&x)` gives x as it was before the call or after it. Compilers differ, and so does one compiler where
// the code around it changes: call first, then return.
func TestNothingIsReturnedThatTheSameReturnChanges(t *testing.T) {
	files := token.NewFileSet()
	err := filepath.WalkDir(filepath.Join("..", ".."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if statement, ok := n.(*ast.ReturnStmt); ok {
				for _, name := range dependent(statement) {
					t.Errorf("%s: %s is returned, and another result changes it: call first, then return", files.Position(statement.Pos()), name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// dependent are the variables that a return gives, and that another one of its results changes.
func dependent(statement *ast.ReturnStmt) []string {
	var names []string
	for i, result := range statement.Results {
		name, ok := result.(*ast.Ident)
		for k, other := range statement.Results {
			if ok && i != k && changes(other, name.Name) {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

// changes reports whether an expression, when it is evaluated, may change a variable: it is given its address, or a function that sets it.
func changes(expr ast.Expr, name string) bool {
	found := false
	is := func(e ast.Expr) bool { id, ok := e.(*ast.Ident); return ok && id.Name == name }
	ast.Inspect(expr, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.UnaryExpr:
			found = found || n.Op == token.AND && is(n.X)
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				found = found || n.Tok != token.DEFINE && is(left)
			}
		case *ast.IncDecStmt:
			found = found || is(n.X)
		}
		return true
	})
	return found
}

func TestWhatReturnsDependOnTheOrder(t *testing.T) {
	for code, want := range map[string]int{
		"return x, f(&x)":                          1,
		"return x, f(func() { x = append(x, 1) })": 1,
		"return f(&x), x":                          1,
		"return x, y, f(&x, &y)":                   2,
		"return x, f(x)":                           0,
		"return x, f(func() { y = append(y, 1) })": 0,
		"return x, f(func() { x := 1; g(x) })":     0,
		"return f(&x)":                             0,
		"return nil, f(&x)":                        0,
		"return x, f(func() { x++ })":              1,
	} {
		file, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc g() { "+code+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		got := 0
		ast.Inspect(file, func(n ast.Node) bool {
			if statement, ok := n.(*ast.ReturnStmt); ok {
				got += len(dependent(statement))
			}
			return true
		})
		if got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}
