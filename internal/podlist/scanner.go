package podlist

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

const (
	// readBuffer is what is held of a stream at once, in bytes.
	readBuffer = 32 << 10
	// maxKey is the most bytes of a field's name that is looked at. A longer one is none that is known here.
	maxKey = 64
)

var errSyntax = errors.New("this is not JSON")

var quote = []byte{'"'}

// scanner walks through a JSON document (RFC 8259) in a stream. What is not asked for is never in memory.
type scanner struct {
	in *bufio.Reader
}

func newScanner(in io.Reader) *scanner { return &scanner{bufio.NewReaderSize(in, readBuffer)} }

// peek returns the first byte of what comes next, space aside, without taking it.
func (s *scanner) peek() (byte, error) {
	for {
		b, err := s.in.ReadByte()
		if err != nil {
			return 0, cutOff(err)
		}
		if !isSpace(b) {
			return b, s.in.UnreadByte()
		}
	}
}

// take returns the next byte, space aside.
func (s *scanner) take() (byte, error) {
	b, err := s.peek()
	if err == nil {
		_, err = s.in.Discard(1)
	}
	return b, err
}

func (s *scanner) expect(want byte) error {
	b, err := s.take()
	if err == nil && b != want {
		err = fmt.Errorf("%q where %q belongs: %w", b, want, errSyntax)
	}
	return err
}

// object calls field for each member of an object. It must take the value. A value of another type is skipped.
func (s *scanner) object(field func(key string) error) error {
	return s.members('{', '}', func() error {
		key, _, err := s.text(maxKey)
		if err != nil {
			return err
		}
		if err := s.expect(':'); err != nil {
			return err
		}
		return field(key)
	})
}

// array calls element for each element of an array. It must take it. A value of another type is skipped.
func (s *scanner) array(element func() error) error { return s.members('[', ']', element) }

func (s *scanner) members(opening, closing byte, member func() error) error {
	b, err := s.peek()
	if err != nil {
		return err
	}
	if b != opening {
		return s.skip()
	}
	if _, err := s.take(); err != nil {
		return err
	}
	if b, err = s.peek(); err != nil {
		return err
	}
	if b == closing {
		_, err = s.take()
		return err
	}
	for {
		if err := member(); err != nil {
			return err
		}
		switch b, err := s.take(); {
		case err != nil:
			return err
		case b == closing:
			return nil
		case b != ',':
			return fmt.Errorf("%q after a member: %w", b, errSyntax)
		}
	}
}

// text takes a string of at most limit bytes. It is false, and empty, where the string is longer or the value is none.
func (s *scanner) text(limit int) (string, bool, error) {
	b, err := s.peek()
	if err != nil {
		return "", false, err
	}
	if b != '"' {
		return "", false, s.skip()
	}
	raw := make([]byte, 0, min(limit, 256)+2)
	longest := 6*limit + 2 // as escapes such as \u002f
	tooLong := false
	err = s.quoted(func(part []byte) {
		if tooLong = tooLong || len(raw)+len(part) > longest; !tooLong {
			raw = append(raw, part...)
		}
	})
	if err != nil {
		return "", false, err
	}
	var text string
	if tooLong {
		return "", false, nil
	}
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", false, fmt.Errorf("read a string: %w", errSyntax)
	}
	if len(text) > limit {
		return "", false, nil
	}
	return text, true, nil
}

// quoted takes a string, its quotes included, and shows it in pieces as they come.
func (s *scanner) quoted(piece func([]byte)) error {
	if _, err := s.in.Discard(len(quote)); err != nil {
		return cutOff(err)
	}
	piece(quote)
	for escaped := false; ; { // Whether the next byte comes after a backslash that counts.
		part, err := s.in.ReadSlice('"')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return cutOff(err)
		}
		piece(part)
		content := part
		if err == nil {
			content = part[:len(part)-1]
		}
		escaped = endsInEscape(content, escaped)
		if err == nil && !escaped {
			return nil
		}
		escaped = escaped && err != nil // The quote was what the backslash stood before.
	}
}

// endsInEscape reports whether a backslash at the end of a part of a string applies to what follows.
func endsInEscape(part []byte, escaped bool) bool {
	backslashes := len(part) - len(bytes.TrimRight(part, `\`))
	odd := backslashes%2 == 1
	if backslashes == len(part) {
		return odd != escaped
	}
	return odd
}

// skip takes any value, however deep, in constant memory.
func (s *scanner) skip() error {
	for depth := 0; ; {
		b, err := s.peek()
		if err != nil {
			return err
		}
		switch b {
		case '"':
			err = s.quoted(func([]byte) {})
		case '{', '[':
			depth++
			_, err = s.take()
		case '}', ']':
			depth--
			_, err = s.take()
		case ',', ':':
			if depth == 0 {
				return fmt.Errorf("%q where a value belongs: %w", b, errSyntax)
			}
			_, err = s.take()
		default:
			err = s.literal()
		}
		if err != nil {
			return err
		}
		if depth < 0 {
			return fmt.Errorf("%q where a value belongs: %w", b, errSyntax)
		}
		// Inside a container the loop goes on to its end.
		if depth == 0 {
			return nil
		}
	}
}

// literal takes a number, true, false or null.
func (s *scanner) literal() error {
	for first := true; ; first = false {
		b, err := s.in.ReadByte()
		if errors.Is(err, io.EOF) && !first {
			return nil
		}
		if err != nil {
			return cutOff(err)
		}
		switch part := inLiteral(b); {
		case !part && first:
			return fmt.Errorf("%q where a value belongs: %w", b, errSyntax)
		case !part:
			return s.in.UnreadByte()
		}
	}
}

func inLiteral(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b == 'E' || b == '+' || b == '-' || b == '.'
}

func isSpace(b byte) bool { return b == ' ' || b == '\n' || b == '\t' || b == '\r' }

// cutOff is the error of a stream that ends inside a document.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
