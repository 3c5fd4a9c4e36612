package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"musicstore/internal/repo"
)

func (a *app) importCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Import albums with their tracks from a JSON Lines file",
		Long: "Import albums with their tracks from a JSON Lines file. Each line is one album. '-' reads standard input.\n" +
			"If a line is wrong, nothing is imported. The file may be larger than memory.\n\n" +
			"Standard error shows the progress: as a bar on a terminal, and elsewhere as a line every few seconds.",
		Example: "  musicstore import cmd/musicstore/catalog.jsonl\n  zcat catalog.jsonl.gz | musicstore import -\n" +
			"  musicstore import catalog.jsonl --json",
		Args: oneArg("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				n, err := a.importFile(cmd.Context(), store, args[0])
				switch {
				case errors.Is(err, repo.ErrOutcomeUnknown):
					return fmt.Errorf("import %s: %w\nEither all of it was imported or nothing", onOneLine(args[0]), err)
				case err != nil:
					return fmt.Errorf("import %s: %w\nNothing was imported", onOneLine(args[0]), err)
				}

				return a.print(n, "imported "+n.String())
			})
		},
	}
	a.jsonFlag(cmd)

	return cmd
}

func (a *app) importFile(ctx context.Context, store *repo.Repo, name string) (counts, error) {
	var n counts
	var first error // of the attempt before
	err := store.InTx(ctx, func(tx *repo.Repo) (err error) {
		defer func() { first = err }()
		in, size, err := a.open(ctx, name) // here, so that a second attempt reads from the start
		if errors.Is(err, errReadOnce) && first != nil {
			return fmt.Errorf("%s: %w", first.Error(), err) // a text: its code would have the transaction run again
		}
		if err != nil {
			return err
		}
		defer in.Close()
		shown := a.progress(size)
		defer shown.end()
		n, err = importCatalog(ctx, tx, interruptible{ctx, in}, shown)

		return err
	})

	return n, err
}

var errReadOnce error = &advisedError{
	errors.New("the transaction must start over, and standard input can't be read again"), saveInput,
}

// open opens a file, whose size it returns, or standard input, which has none and can be read once.
func (a *app) open(ctx context.Context, name string) (in io.ReadCloser, size int64, err error) {
	if name != "-" {
		f, err := openFile(ctx, name)
		if err != nil {
			return nil, 0, shownPath(err)
		}
		if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
			size = info.Size()
		}

		return f, size, nil
	}
	if a.in == nil {
		return nil, 0, errReadOnce
	}
	in = io.NopCloser(a.in)
	a.in = nil

	return in, 0, nil
}

// openFile is os.Open, which returns when the context ends. To open a pipe takes until somebody opens it to write.
func openFile(ctx context.Context, name string) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	done := make(chan result, 1)
	go func() {
		f, err := os.Open(name)
		done <- result{f, err}
	}()
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case got := <-done:
		return got.f, got.err
	}
}

// onOneLine returns the name of a file as it is, or quoted if it has characters that control a terminal, such as the end
// of a line.
func onOneLine(name string) string {
	if printable(name) == name {
		return name
	}

	return strconv.Quote(name)
}

// shownPath returns the error of a file with its name on one line.
func shownPath(err error) error {
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: of.Op, Path: onOneLine(of.Path), Err: of.Err}
	}

	return err
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

type counts struct {
	Albums int `json:"albums"`
	Tracks int `json:"tracks"`
}

func (c counts) String() string {
	return fmt.Sprintf("%s with %s", plural(c.Albums, "album"), plural(c.Tracks, "track"))
}

func plural(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}

	return fmt.Sprintf("%d %ss", n, of)
}

// batchBytes is how much of a catalogue goes into one statement: some thousand tracks. The last line comes on top.
const batchBytes = 256 << 10

// importCatalog creates the albums of a catalogue, in the transaction that the store stands on. An error names the first
// line that can't be.
func importCatalog(ctx context.Context, store *repo.Repo, in io.Reader, shown *progress) (counts, error) {
	var (
		n    counts
		b    batch
		read int64
	)
	// The server plans the check of a foreign key once. In a transaction that finds a small table and makes it a large
	// one, it would read the whole table for each row from then on.
	if _, err := store.DB().Exec(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
		return n, err
	}
	create := func() error {
		if err := b.create(ctx, store); err != nil {
			return err
		}
		for _, album := range b.albums {
			n.Tracks += len(album.Tracks)
		}
		n.Albums += len(b.albums)
		b = batch{lines: b.lines[:0], albums: b.albums[:0]}
		shown.at(read, n)

		return nil
	}
	for line, next := range readCatalog(in) {
		if next.err != nil {
			if ctx.Err() == nil { // of those that wait for their statement, one may be wrong as well
				if err := create(); err != nil {
					return n, err
				}
			}

			return n, fmt.Errorf("line %d: %w", line, next.err)
		}
		b.lines, b.albums = append(b.lines, line), append(b.albums, next.album)
		b.bytes += next.bytes
		read += int64(next.bytes)
		if b.bytes >= batchBytes {
			if err := create(); err != nil {
				return n, err
			}
		}
	}
	// A file without an album is no mistake: an empty store exports one.
	err := create()

	return n, err
}

// batch is a part of a catalogue: albums with the numbers of their lines.
type batch struct {
	lines  []int
	albums []repo.NewAlbum
	bytes  int
}

// create creates the albums of a batch by one statement. When that fails, each has one of its own, so that the error
// names the line.
func (b *batch) create(ctx context.Context, store *repo.Repo) error {
	err := store.InTx(ctx, func(tx *repo.Repo) error { return tx.CreateAlbums(ctx, b.albums) })
	if err == nil {
		return nil
	}
	unfit := errors.Is(err, repo.ErrSettings) || errors.Is(err, repo.ErrUntrusted) // to write anything
	if ctx.Err() != nil || unfit || startsOver(err) {
		return fmt.Errorf("lines %d to %d: %w", b.lines[0], b.lines[len(b.lines)-1], err)
	}
	for i, album := range b.albums {
		if _, err := store.CreateAlbum(ctx, album); err != nil {
			return fmt.Errorf("line %d, %.200q: %w", b.lines[i], album.Name, err)
		}
	}

	return nil
}

// startsOver says that only the transaction as a whole can be tried again.
// https://www.postgresql.org/docs/current/mvcc-serialization-failure-handling.html
func startsOver(err error) bool {
	const transactionRollback = "40"
	pg, ok := errors.AsType[*pgconn.PgError](err)

	return ok && strings.HasPrefix(pg.Code, transactionRollback)
}
