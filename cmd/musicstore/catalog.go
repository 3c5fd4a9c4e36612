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

// longestLine bounds the memory that one line can take.
const longestLine = 4 << 20

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
// as its last pair; it names the line, the field and the reason.
func readCatalog(r io.Reader) iter.Seq2[int, albumOrError] {
	return func(yield func(int, albumOrError) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, longestLine)
		n := 0
		for lines.Scan() {
			n++
			if len(bytes.TrimSpace(lines.Bytes())) == 0 {
				continue
			}
			album, err := parseAlbum(lines.Bytes())
			if !yield(n, albumOrError{album, len(lines.Bytes()) + 1, err}) || err != nil {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(n+1, albumOrError{err: fmt.Errorf("is longer than %d bytes", longestLine)})
		case err != nil:
			yield(n+1, albumOrError{err: err})
		}
	}
}

type albumOrError struct {
	album repo.NewAlbum
	bytes int // of its line
	err   error
}

func parseAlbum(line []byte) (album repo.NewAlbum, err error) {
	if !utf8.Valid(line) {
		return album, errors.New("is not valid UTF-8")
	}
	if !json.Valid(line) {
		return album, fmt.Errorf("is not a JSON value: %w", json.Unmarshal(line, new(any)))
	}
	members, err := albumFields.check("", line)
	if err != nil {
		return album, err
	}
	var tracks []json.RawMessage
	if err := decode("tracks", members["tracks"], &tracks); err != nil {
		return album, err
	}
	delete(members, "tracks")
	album.Tracks = make([]repo.NewTrack, len(tracks))
	for i, track := range tracks {
		path := "tracks[" + strconv.Itoa(i) + "]"
		members, err := trackFields.check(path, track)
		if err != nil {
			return album, err
		}
		t := &album.Tracks[i]
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

// check returns the members of an object, each of which has to be one of f, once, and all that are needed there.
func (f fields) check(path string, object []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, badField(path, "is not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, badField(path, err.Error())
		}
		name := fmt.Sprint(t) // the name of a member is a string
		at := strings.TrimPrefix(path+"."+name, ".")
		if _, known := f[name]; !known {
			these := strings.Join(f.names(), ", ")

			return nil, badField(path, fmt.Sprintf("%.100q is not a field of a catalogue: these are %s", name, these))
		}
		if _, twice := members[name]; twice {
			return nil, badField(at, "is there twice")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, badField(at, err.Error())
		}
		members[name] = value
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
