package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"slices"
)

// validate marks the mutants that do not compile: where a function does not compile each of its mutants is tried alone, and where they
// compile alone, but not together, none is made.
func validate(s *source, mutants []*mutant) {
	for range 10 {
		suspects := suspected(s, mutants)
		if len(suspects) == 0 {
			return
		}
		found := false
		for _, m := range suspects {
			if len(broken(s, only(mutants, m))) > 0 {
				m.invalid, found = true, true
			}
		}
		for _, m := range suspects {
			m.invalid = m.invalid || !found
		}
	}
}

// suspected are the mutants in functions that do not compile with all of theirs.
func suspected(s *source, mutants []*mutant) []*mutant {
	var suspects []*mutant
	for _, p := range broken(s, mutants) {
		for _, m := range mutants {
			if m.file == p.file && p.from <= m.line && m.line <= p.to && !m.invalid {
				suspects = append(suspects, m)
			}
		}
	}
	return suspects
}

// only one mutant, at its number.
func only(mutants []*mutant, one *mutant) []*mutant {
	return slices.DeleteFunc(slices.Clone(mutants), func(m *mutant) bool { return m != one })
}

// place is a function, by its lines.
type place struct {
	file     string
	from, to int
}

// broken lists the functions that do not compile with some mutants in them.
func broken(s *source, mutants []*mutant) []place {
	fset, files := token.NewFileSet(), []*ast.File{}
	found := map[place]bool{}
	helpers := s.dir + "/zz_mutants.go" // what it imports is perhaps not at hand here
	note := func(position token.Position) {
		if position.Filename != helpers {
			found[functionAt(s, position)] = true
		}
	}
	texts := map[string][]byte{helpers: []byte(runtimeOf(s, len(mutants)+1))}
	for path, text := range s.texts {
		texts[path] = mutated(text, mutants, path)
	}
	for _, path := range slices.Sorted(maps.Keys(texts)) {
		file, err := parser.ParseFile(fset, path, texts[path], parser.SkipObjectResolution)
		if err != nil {
			return []place{{path, 0, len(texts[path])}}
		}
		files = append(files, file)
	}
	config := types.Config{Importer: s.imports, Error: func(err error) {
		if wrong, ok := err.(types.Error); ok { //nolint:errorlint // the type checker gives it as it is
			note(wrong.Fset.Position(wrong.Pos))
		}
	}}
	_, _ = config.Check(module+"/"+s.name, fset, files, nil)
	return slices.Collect(maps.Keys(found))
}

func functionAt(s *source, position token.Position) place {
	for _, file := range s.files {
		if s.fset.Position(file.Pos()).Filename != position.Filename {
			continue
		}
		for _, decl := range file.Decls {
			from, to := s.fset.Position(decl.Pos()).Line, s.fset.Position(decl.End()).Line
			if from <= position.Line && position.Line <= to {
				return place{position.Filename, from, to}
			}
		}
	}
	return place{file: position.Filename}
}
