package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// move puts a file or a folder in the place of another. From "" takes away what is there.
type move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// journal is the file that says that everything is made and which moves are left. A run that was killed in between is
// finished by the next.
const journal = "moves.json"

// swap puts everything in its place. What does not change is not touched.
func swap(scratch string, moves []move) error {
	var left []move
	for _, m := range moves {
		if !same(m.From, m.To) {
			left = append(left, m)
		}
	}
	if len(left) == 0 {
		return os.RemoveAll(scratch)
	}
	text, err := json.Marshal(left)
	if err != nil {
		return err
	}
	file := filepath.Join(scratch, journal)
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}

	return finish(scratch)
}

// changes is how many files a run writes and takes away, and in which folders.
type changes struct {
	written, removed int
	folders          []string
}

// changesOf returns what moves will change in the folders below root. A file that stays as it is does not count.
func changesOf(root string, moves []move) (changes, error) {
	var c changes
	for _, m := range moves {
		if same(m.From, m.To) {
			continue
		}
		folder, pairs := m.To, []move{}
		entries, err := os.ReadDir(m.From)
		if err != nil { // a file, or none
			folder, pairs = filepath.Dir(m.To), []move{m}
		} else {
			for _, entry := range entries {
				pairs = append(pairs, move{filepath.Join(m.From, entry.Name()), filepath.Join(m.To, entry.Name())})
			}
			old, err := os.ReadDir(m.To)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return c, err
			}
			for _, entry := range old {
				if _, err := os.Stat(filepath.Join(m.From, entry.Name())); err != nil {
					pairs = append(pairs, move{"", filepath.Join(m.To, entry.Name())})
				}
			}
		}
		for _, p := range pairs {
			switch {
			case same(p.From, p.To):
			case p.From == "":
				c.removed++
			default:
				c.written++
			}
		}
		if folder, err = filepath.Rel(root, folder); err != nil {
			return c, err
		}
		if folder == "." {
			folder = "this folder"
		}
		if !slices.Contains(c.folders, folder) {
			c.folders = append(c.folders, folder)
		}
	}

	return c, nil
}

func (c changes) String() string {
	var parts []string
	for _, part := range []struct {
		verb string
		n    int
	}{{"wrote", c.written}, {"removed", c.removed}} {
		switch part.n {
		case 0:
		case 1:
			parts = append(parts, part.verb+" 1 file")
		default:
			parts = append(parts, fmt.Sprintf("%s %d files", part.verb, part.n))
		}
	}
	if len(parts) == 0 {
		return "nothing changed"
	}

	return strings.Join(parts, " and ") + " in " + strings.Join(c.folders, " and ")
}

// finish makes the moves that are left of a run, and removes its folder. Done twice, a move changes nothing.
func finish(scratch string) error {
	text, err := os.ReadFile(filepath.Join(scratch, journal))
	if errors.Is(err, fs.ErrNotExist) {
		return os.RemoveAll(scratch)
	}
	if err != nil {
		return err
	}
	var moves []move
	if err := json.Unmarshal(text, &moves); err != nil {
		return fmt.Errorf("read %s: %w", filepath.Join(scratch, journal), err)
	}
	for i, m := range moves {
		if err := m.do(backup(scratch, i)); err != nil {
			for n := i; n >= 0; n-- {
				err = errors.Join(err, moves[n].undo(backup(scratch, n)))
			}

			return errors.Join(err, os.RemoveAll(scratch))
		}
	}

	return os.RemoveAll(scratch)
}

func backup(scratch string, i int) string { return filepath.Join(scratch, fmt.Sprintf("old.%d", i)) }

// do puts old away and the new in its place.
func (m move) do(old string) error {
	info, err := os.Stat(m.From)
	if m.From != "" && errors.Is(err, fs.ErrNotExist) {
		return nil // it is in its place
	}
	if m.From != "" && err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(m.To), 0o750); err != nil {
		return err
	}
	if m.From != "" && !info.IsDir() { // a rename replaces a file, so that there is always one
		err = os.Link(m.To, old)
	} else {
		err = os.Rename(m.To, old)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if m.From == "" {
		return nil
	}

	return os.Rename(m.From, m.To)
}

// undo puts the old back.
func (m move) undo(old string) error {
	if _, err := os.Lstat(old); err != nil {
		if _, err := os.Lstat(m.From); m.From != "" && errors.Is(err, fs.ErrNotExist) {
			return os.RemoveAll(m.To) // there was none before
		}

		return nil
	}
	if info, err := os.Stat(m.To); err == nil && info.IsDir() {
		if err := os.RemoveAll(m.To); err != nil {
			return err
		}
	}

	return os.Rename(old, m.To)
}

// same reports that two files, or the files of two folders, are the same.
func same(a, b string) bool {
	if a == "" {
		_, err := os.Stat(b)

		return errors.Is(err, fs.ErrNotExist)
	}
	entries, err := os.ReadDir(a)
	if err != nil {
		x, errX := os.ReadFile(a)
		y, errY := os.ReadFile(b)

		return errX == nil && errY == nil && bytes.Equal(x, y)
	}
	others, err := os.ReadDir(b)
	if err != nil || len(entries) != len(others) {
		return false
	}
	for i, entry := range entries {
		if entry.Name() != others[i].Name() || !same(filepath.Join(a, entry.Name()), filepath.Join(b, entry.Name())) {
			return false
		}
	}

	return true
}
