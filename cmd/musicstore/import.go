package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
)

func (a *app) importCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "import FILE",
		Short: "Read albums with their tracks from JSON Lines, all of them or none",
		Long: "Read albums with their tracks from JSON Lines, an album a line ('-' is standard input). The first line that\n" +
			"is wrong, or that the store refuses, ends the import, and nothing of the file is kept.",
		Example: "  musicstore import cmd/musicstore/catalog.jsonl\n  zcat catalog.jsonl.gz | musicstore import -",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				var n counts
				err := store.InTx(cmd.Context(), func(tx *repo.Repo) error {
					in, err := a.open(args[0]) // here, so that a second attempt reads from the start
					if err != nil {
						return err
					}
					defer in.Close()
					n, err = importCatalog(cmd.Context(), tx, interruptible{cmd.Context(), in})

					return err
				})
				switch {
				case errors.Is(err, repo.ErrOutcomeUnknown):
					const look = "All of it was imported, or nothing: look before you try again"

					return fmt.Errorf("import %s: %w\n%s", args[0], err, look)
				case err != nil:
					return fmt.Errorf("import %s: %w\nNothing was imported", args[0], err)
				}
				_, _ = fmt.Fprintf(a.out, "imported %s\n", n)

				return nil
			})
		},
	}
}

// open opens a file, or standard input, which can be read once.
func (a *app) open(name string) (io.ReadCloser, error) {
	if name != "-" {
		return os.Open(name)
	}
	if a.in == nil {
		return nil, errors.New("the transaction has to start over, and standard input can't be read again: try once more")
	}
	in := io.NopCloser(a.in)
	a.in = nil

	return in, nil
}

// interruptible is a reader whose Read returns when the context ends. Nothing else ends the read of a terminal, and
// Ctrl-C has to end an import that waits for one. The read itself is left behind.
type interruptible struct {
	ctx context.Context //nolint:containedctx // io.Reader has no room for it
	in  io.Reader
}

func (r interruptible) Read(p []byte) (int, error) {
	type result struct {
		read []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		own := make([]byte, len(p)) // p is the caller's again when Read has returned
		n, err := r.in.Read(own)
		done <- result{own[:n], err}
	}()
	select {
	case <-r.ctx.Done():
		return 0, context.Cause(r.ctx)
	case got := <-done:
		return copy(p, got.read), got.err
	}
}

type counts struct{ albums, tracks int }

func (c counts) String() string {
	return fmt.Sprintf("%s with %s", plural(c.albums, "album"), plural(c.tracks, "track"))
}

func plural(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}

	return fmt.Sprintf("%d %ss", n, of)
}

// importCatalog creates the albums of a catalogue. An error names the line.
func importCatalog(ctx context.Context, store *repo.Repo, in io.Reader) (counts, error) {
	var n counts
	for line, next := range readCatalog(in) {
		if next.err != nil {
			return n, fmt.Errorf("line %d: %w", line, next.err)
		}
		if _, err := store.CreateAlbum(ctx, next.album); err != nil {
			return n, fmt.Errorf("line %d, %.200q: %w", line, next.album.Name, err)
		}
		n.albums++
		n.tracks += len(next.album.Tracks)
	}
	if n.albums == 0 {
		return n, errors.New("there is no album in it")
	}

	return n, nil
}
