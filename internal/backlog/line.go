package backlog

import (
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"
	"time"
)

// A line of the file is
//
//	<checksum> + <number> <boot> <up> <wall> <topic> <body>
//	<checksum> - <number>
//
// The first is an entry: its number, the boot it is of, when it was since that boot and on the wall (0: not known) in milliseconds,
// its topic in Go's quotes, and its body. The second says that all up to that number are done. The checksum is the CRC-32C of what
// follows the blank behind it: it sees every single flipped bit, and every burst of them that is 32 bits long or shorter. Each line
// stands for itself, so that a damaged one costs what was in it, and what follows is read.

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum begins a line at b's end: its text follows, then seal.
const sumDigits = 8

func open(b []byte) ([]byte, int) { return append(b, "00000000 "...), len(b) }

// seal writes the checksum of the line that begins at start, and ends it.
func seal(b []byte, start int) []byte {
	text := b[start+sumDigits+1:]
	copy(b[start:], fmt.Sprintf("%0*x", sumDigits, crc32.Checksum(text, castagnoli)))
	return append(b, '\n')
}

func appendEntry(b []byte, e *entry) []byte {
	b, start := open(b)
	b = append(b, "+ "...)
	b = strconv.AppendUint(b, e.n, 10)
	b = append(append(append(b, ' '), e.boot...), ' ')
	b = strconv.AppendInt(b, e.up.Milliseconds(), 10)
	b = strconv.AppendInt(append(b, ' '), e.wall, 10)
	b = strconv.AppendQuote(append(b, ' '), e.topic)
	b = append(append(b, ' '), e.body...)
	return seal(b, start)
}

func appendDone(b []byte, n uint64) []byte {
	b, start := open(b)
	return seal(strconv.AppendUint(append(b, "- "...), n, 10), start)
}

// parseLine reads a line without its end; e.topic is empty where it says that all up to e.n are done. It is not ok when the line is not
// exactly as it was written.
func parseLine(line string) (e entry, ok bool) {
	sum, text, _ := strings.Cut(line, " ")
	if len(sum) != sumDigits || sum != fmt.Sprintf("%0*x", sumDigits, crc32.Checksum([]byte(text), castagnoli)) {
		return e, false
	}
	kind, rest, _ := strings.Cut(text, " ")
	number := func() (n uint64) {
		word, after, _ := strings.Cut(rest, " ")
		rest = after
		var err error
		n, err = strconv.ParseUint(word, 10, 63)
		ok = ok && err == nil
		return n
	}
	ok = true
	e.n = number()
	if kind == "-" {
		return e, ok
	}
	e.boot, rest, _ = strings.Cut(rest, " ")
	e.up = time.Duration(min(number(), maxUp)) * time.Millisecond
	e.wall = int64(number())
	quoted, err := strconv.QuotedPrefix(rest)
	if err != nil || kind != "+" {
		return e, false
	}
	e.topic, _ = strconv.Unquote(quoted)
	e.body, _ = strings.CutPrefix(rest[len(quoted):], " ")
	return e, ok && e.topic != ""
}

// maxUp bounds what is read, so that no arithmetic goes over.
const maxUp = uint64(100 * 365 * 24 * time.Hour / time.Millisecond)
