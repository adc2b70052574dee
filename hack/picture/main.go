// Command picture makes the picture of the README from what the demo printed:
//
//	make demo > docs/images/demo.txt
//	go run ./hack/picture < docs/images/demo.txt > docs/images/demo.svg
package main

import (
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(from io.Reader, to io.Writer) error {
	log, err := io.ReadAll(from)
	if err != nil {
		return err
	}
	lines, err := parse(string(log))
	if err != nil {
		return err
	}
	_, err = io.WriteString(to, draw(lines))
	return err
}
