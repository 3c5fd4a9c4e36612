package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"musicstore/internal/repo"
)

// A catalogue is JSON Lines (https://jsonlines.org): an album a line, in the form of repo.NewAlbum. It is read strictly,
// because what a typing error leaves out is somebody's money: an unknown field, a field twice and a missing one are
// errors.

// longestLine bounds the memory that one line can take. It is more than export ever writes: an album of repo.MaxTracks
// whose names and URLs are as long as they can be, each character as an escape of six bytes, is a line of 25.3 MB. With
// characters of one byte it is 4.2 MB.
const longestLine = 32 << 20

// keptBuffer is how large a buffer is that the next line may have, too.
const keptBuffer = 8 << 20

var (
	albumFields = fields{
		"name": needed, "year": needed, "price_cents": needed, "tracks": needed,
		"url": optional, "image_url": optional, "has_preview": optional, "is_published": optional,
	}
	trackFields = fields{"name": needed, "length_seconds": needed, "audio_url": optional, "video_url": optional}
)

type fields map[string]bool

const (
	needed   = true
	optional = false
)

// readCatalog yields the albums of a catalogue, one line in memory at a time, with their line numbers. An error ends it,
// as its last pair; it names the line, the field and the reason. It skips a byte order mark at the beginning, as Windows
// writes it, and blank lines.
func readCatalog(r io.Reader) iter.Seq2[int, albumOrError] {
	return func(yield func(int, albumOrError) bool) {
		in := bufio.NewReaderSize(r, 64<<10)
		var buffer []byte
		for n := 1; ; n++ {
			line, err := readLine(in, buffer[:0])
			ended := errors.Is(err, io.EOF)
			if err != nil && !ended {
				yield(n, albumOrError{err: err})

				return
			}
			read := len(line)
			if buffer = line; cap(buffer) > keptBuffer {
				buffer = nil
			}
			if n == 1 {
				line = bytes.TrimPrefix(line, byteOrderMark)
			}
			if len(bytes.TrimSpace(line)) > 0 {
				album, err := parseAlbum(line)
				if err != nil {
					err = &advisedError{err, correctFile}
				}
				if !yield(n, albumOrError{album, read, err}) || err != nil {
					return
				}
			}
			if ended {
				return
			}
		}
	}
}

var byteOrderMark = []byte("\ufeff")

// readLine appends the next line to a buffer. The error is io.EOF behind the last one.
func readLine(in *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > longestLine {
			return nil, &advisedError{fmt.Errorf("is longer than %d bytes", longestLine), correctFile}
		}
		if len(line)+len(part) > cap(line) { // append would grow in smaller steps, and leave more behind for the collector
			line = append(make([]byte, 0, min(2*cap(line)+len(part), longestLine)), line...)
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

type albumOrError struct {
	album repo.NewAlbum
	bytes int // of its line
	err   error
}

func parseAlbum(line []byte) (album repo.NewAlbum, err error) {
	switch {
	case bytes.HasPrefix(line, []byte("\xff\xfe")), bytes.HasPrefix(line, []byte("\xfe\xff")):
		return album, errors.New("is UTF-16, and a catalogue must be UTF-8")
	case bytes.IndexByte(line, 0) >= 0:
		return album, errors.New("has a NUL byte, as UTF-16 has, and a catalogue must be UTF-8")
	case !utf8.Valid(line):
		return album, errors.New("is not valid UTF-8")
	case bytes.HasPrefix(line, byteOrderMark):
		return album, errors.New("has a byte order mark, which is allowed only at the beginning of a file")
	case !json.Valid(line):
		return album, fmt.Errorf("is not a JSON value: %w", json.Unmarshal(line, new(any)))
	}
	members, err := albumFields.check("", line)
	if err != nil {
		return album, err
	}
	tracks := members["tracks"]
	if tracks[0] != '[' {
		return album, decode("tracks", tracks, &[]struct{}{})
	}
	delete(members, "tracks")
	n := 0
	for range parts(tracks) {
		n++
	}
	if n > 10*repo.MaxTracks { // fewer are refused with the album's name, by the store
		return album, badField("tracks", fmt.Sprintf("%d are too many: an album has %d at most", n, repo.MaxTracks))
	}
	album.Tracks = make([]repo.NewTrack, n)
	i := 0
	for track := range parts(tracks) {
		path := "tracks[" + strconv.Itoa(i) + "]"
		members, err := trackFields.check(path, track)
		if err != nil {
			return album, err
		}
		t := &album.Tracks[i]
		i++
		if err := decodeAll(path+".", members, map[string]any{
			"name": &t.Name, "length_seconds": &t.LengthSeconds, "audio_url": &t.AudioURL, "video_url": &t.VideoURL,
		}); err != nil {
			return album, err
		}
	}

	return album, decodeAll("", members, map[string]any{
		"name": &album.Name, "url": &album.URL, "year": &album.Year, "price_cents": &album.PriceCents,
		"image_url": &album.ImageURL, "has_preview": &album.HasPreview, "is_published": &album.IsPublished,
	})
}

// parts yields the elements of an array, or the names and values of an object in turn. They are slices of the text,
// which has to be valid JSON: a long line is not copied.
func parts(text []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		depth, start, quoted := 0, 0, false
		for i := 0; i < len(text); i++ {
			switch c := text[i]; {
			case quoted && c == '\\':
				i++
			case c == '"':
				quoted = !quoted
			case quoted:
			case c == '[' || c == '{':
				if depth++; depth == 1 {
					start = i + 1
				}
			case depth == 1 && (c == ',' || c == ':' || c == ']' || c == '}'):
				part := bytes.TrimSpace(text[start:i])
				if len(part) > 0 && !yield(part) || c == ']' || c == '}' {
					return
				}
				start = i + 1
			case c == ']' || c == '}':
				depth--
			}
		}
	}
}

// check returns the members of an object, each of which has to be one of f, once, and all that are needed there.
func (f fields) check(path string, object []byte) (map[string]json.RawMessage, error) {
	if object = bytes.TrimSpace(object); object[0] != '{' {
		return nil, badField(path, "is not a JSON object")
	}
	members := map[string]json.RawMessage{}
	name := ""
	isName := false
	for part := range parts(object) {
		if isName = !isName; !isName {
			members[name] = part

			continue
		}
		if err := json.Unmarshal(part, &name); err != nil {
			return nil, badField(path, err.Error())
		}
		if _, known := f[name]; !known {
			these := strings.Join(f.names(), ", ")

			return nil, badField(path, fmt.Sprintf("%.100q is not a field of a catalogue: the fields are %s", name, these))
		}
		if _, twice := members[name]; twice {
			return nil, badField(strings.TrimPrefix(path+"."+name, "."), "appears twice")
		}
	}
	for _, name := range f.names() {
		if value := members[name]; f[name] && (value == nil || string(value) == "null") {
			return nil, badField(strings.TrimPrefix(path+"."+name, "."), "is missing")
		}
	}

	return members, nil
}

func (f fields) names() []string {
	names := make([]string, 0, len(f))
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)

	return names
}

func decodeAll(path string, members map[string]json.RawMessage, into map[string]any) error {
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range members {
			if !yield(name) {
				return
			}
		}
	}) {
		if err := decode(path+name, members[name], into[name]); err != nil {
			return err
		}
	}

	return nil
}

func decode(field string, value json.RawMessage, into any) error {
	err := json.Unmarshal(value, into)
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return badField(field, fmt.Sprintf("is a JSON %.40s, not %s", wrong.Value, article(wrong.Type.Kind().String())))
	}
	if err != nil {
		return badField(field, err.Error())
	}
	var s string
	if bytes.Contains(value, []byte(`\u`)) && json.Unmarshal(value, &s) == nil &&
		strings.Contains(s, "\uFFFD") && !replacement.Match(value) {
		return badField(field, "has half a surrogate pair") // which json.Unmarshal replaces without a word
	}

	return nil
}

// replacement is the replacement character as a string of JSON may have it.
var replacement = regexp.MustCompile(`\x{FFFD}|\\u(?i:fffd)`)

// article says a Go kind as somebody who writes JSON would.
func article(kind string) string {
	switch kind {
	case "bool":
		return "true or false"
	case "string":
		return "a string"
	case "slice":
		return "an array"
	default:
		return "a whole number that fits"
	}
}

func badField(field, reason string) error {
	if field == "" {
		return errors.New(reason)
	}

	return &repo.InvalidError{Field: field, Reason: reason}
}
