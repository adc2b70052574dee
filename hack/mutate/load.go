package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// module is the path of the module whose packages are mutated.
const module = "regcred.dev/regcred"

// asPrograms are the variables with which programs are built: other flags would compile every dependency again.
var asPrograms = []string{"CGO_ENABLED=0", "GOFLAGS=-trimpath"}

// source is a package as it is, with the types of its expressions.
type source struct {
	// name of its folder below the module, such as internal/rotation.
	name, dir string
	fset      *token.FileSet
	files     []*ast.File
	// texts of the files by path.
	texts   map[string][]byte
	info    *types.Info
	imports types.Importer
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

func list(root string, arguments ...string) ([]listed, error) {
	command := exec.Command("go", append([]string{"list", "-json=ImportPath,Dir,Export,GoFiles"}, arguments...)...)
	command.Dir, command.Stderr = root, os.Stderr
	command.Env = append(os.Environ(), asPrograms...)
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", strings.Join(arguments, " "), err)
	}
	var all []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var one listed
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("read what go list says: %w", err)
		}
		all = append(all, one)
	}
}

// load reads a package of the module at root.
func load(root, name string) (*source, error) {
	path := module + "/" + name
	all, err := list(root, "-export", "-deps", "./"+name)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	s := &source{name: name, fset: token.NewFileSet(), texts: map[string][]byte{}}
	for _, one := range all {
		exports[one.ImportPath] = one.Export
		if one.ImportPath != path {
			continue
		}
		s.dir = one.Dir
		for _, file := range one.GoFiles {
			if err := s.read(filepath.Join(one.Dir, file)); err != nil {
				return nil, err
			}
		}
	}
	s.imports = importer.ForCompiler(s.fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	s.info = &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	_, err = (&types.Config{Importer: s.imports}).Check(path, s.fset, s.files, s.info)
	return s, err
}

func (s *source) read(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(s.fset, path, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	s.files, s.texts[path] = append(s.files, file), text
	return nil
}

// text of a node as it is written.
func (s *source) text(node ast.Node) string {
	from, to := s.fset.Position(node.Pos()), s.fset.Position(node.End())
	return string(s.texts[from.Filename][from.Offset:to.Offset])
}

// typeOf an expression, nil where it has none.
func (s *source) typeOf(expr ast.Expr) types.Type { return s.info.Types[expr].Type }

func (s *source) isConstant(expr ast.Expr) bool { return s.info.Types[expr].Value != nil }

// isBool reports whether an expression has the type bool itself: one of a type of its own cannot be joined with a bool.
func (s *source) isBool(expr ast.Expr) bool {
	basic, ok := s.typeOf(expr).(*types.Basic)
	return ok && basic.Info()&types.IsBoolean != 0 && !s.isConstant(expr)
}

func isError(t types.Type) bool {
	return t != nil && types.Identical(t, types.Universe.Lookup("error").Type())
}
