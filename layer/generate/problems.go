package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// problem is why nothing is generated: one sentence, and where its cause is.
type problem struct {
	file string
	line int
	text string
}

func (p *problem) Error() string { return fmt.Sprintf("%s:%d: %s", p.file, p.line, p.text) }

// refusal returns a problem of the file of defaults.
func refusal(line int, format string, args ...any) error {
	return &problem{file: defaultsFile, line: line, text: fmt.Sprintf(format, args...)}
}

// problems are collected, so that all are seen at once.
type problems struct{ all []*problem }

func (p *problems) addf(file string, line int, format string, args ...any) {
	added := &problem{file: file, line: line, text: fmt.Sprintf(format, args...)}
	if !slices.ContainsFunc(p.all, func(q *problem) bool { return *q == *added }) {
		p.all = append(p.all, added)
	}
}

func (p *problems) err() error {
	if len(p.all) == 0 {
		return nil
	}
	slices.SortStableFunc(p.all, func(a, b *problem) int {
		return cmp.Or(strings.Compare(a.file, b.file), a.line-b.line)
	})
	errs := make([]error, len(p.all))
	for i, one := range p.all {
		errs[i] = one
	}

	return errors.Join(errs...)
}
