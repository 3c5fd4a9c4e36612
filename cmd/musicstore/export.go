package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"musicstore/internal/repo"
)

func (a *app) exportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export",
		Short: "Export all albums with their tracks as JSON Lines",
		Long: "Export all albums with their tracks to standard output as JSON Lines, which 'musicstore import' reads.\n" +
			"Unpublished albums are included. The albums are in the order in which they were created.\n" +
			"The output is a snapshot: it has no changes that are made during the export.",
		Example: "  musicstore export > catalog.jsonl\n  musicstore export | gzip > catalog.jsonl.gz\n" +
			"  musicstore export | jq -r 'select(.year < 1970) | .name'",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				if err := exportAll(cmd.Context(), store, a.out); err != nil {
					return fmt.Errorf("export: %w", err)
				}

				return nil
			})
		},
	}
}

// exportAll writes the catalogue of one moment.
func exportAll(ctx context.Context, store *repo.Repo, w io.Writer) error {
	snapshot := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	to := &countingWriter{Writer: w}
	// What was written can't be taken back: the transaction must not run again after it.
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)

	return store.InTxOptions(ctx, snapshot, func(tx *repo.Repo) error {
		if err := refuseHeirs(ctx, tx); err != nil {
			return err
		}
		buffered := bufio.NewWriter(to)
		err := exportCatalog(ctx, tx, buffered)
		if err == nil {
			err = buffered.Flush()
		}
		if err != nil && to.written > 0 {
			stop(err)
		}

		return err
	})
}

// heirsSQL returns a table that inherits from one of the catalogue's, whose rows would be exported as well, albums of the
// same id and name twice. Partitions are meant to be read, and do not count.
const heirsSQL = `
SELECT i.inhparent::pg_catalog.regclass::pg_catalog.text, i.inhrelid::pg_catalog.regclass::pg_catalog.text
FROM pg_catalog.pg_inherits AS i
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.inhparent
WHERE c.relkind OPERATOR(pg_catalog.=) 'r' AND i.inhparent OPERATOR(pg_catalog.=) ANY (
    ARRAY[pg_catalog.to_regclass('albums'), pg_catalog.to_regclass('tracks')]::pg_catalog.oid[])
ORDER BY i.inhparent, i.inhrelid
LIMIT 1`

func refuseHeirs(ctx context.Context, store *repo.Repo) error {
	var parent, heir string
	err := store.DB().QueryRow(ctx, heirsSQL, pgx.QueryExecModeExec).Scan(&parent, &heir)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return nil
	case err != nil:
		return err
	}
	heir, parent = printable(heir), printable(parent)

	return &advisedError{
		fmt.Errorf("table %s inherits from %s, so its rows would be exported too", heir, parent),
		fmt.Sprintf(endInheritance, heir, parent),
	}
}

// exportCatalog writes the albums, of which AllAlbums holds few at a time.
func exportCatalog(ctx context.Context, store *repo.Repo, w io.Writer) error {
	for album, err := range store.AllAlbums(ctx) {
		if err != nil {
			return err
		}
		if err := writeAlbum(w, album); err != nil {
			return err
		}
	}

	return nil
}

// writeAlbum writes the line of an album, which is a repo.NewAlbum as it was before it was created. It writes a track at
// a time: a line can be 25 MB long.
func writeAlbum(w io.Writer, a repo.AlbumWithTracks) error {
	const noTracks = "[]}\n" // tracks are the last field
	var text bytes.Buffer
	if err := writeJSON(&text, repo.NewAlbum{
		Name: a.Name, URL: a.URL, Year: a.Year, PriceCents: a.PriceCents, ImageURL: a.ImageURL,
		HasPreview: a.HasPreview, IsPublished: a.IsPublished, Tracks: []repo.NewTrack{},
	}); err != nil {
		return err
	}
	text.Truncate(text.Len() - len(noTracks))
	text.WriteByte('[')
	for i, t := range a.Tracks {
		if i > 0 {
			text.WriteByte(',')
		}
		if err := writeJSON(&text, repo.NewTrack{
			Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL, VideoURL: t.VideoURL,
		}); err != nil {
			return err
		}
		text.Truncate(text.Len() - len("\n"))
		if _, err := text.WriteTo(w); err != nil {
			return err
		}
	}
	text.WriteString("]}\n")
	_, err := text.WriteTo(w)

	return err
}

// countingWriter counts what went through it.
type countingWriter struct {
	io.Writer

	written int
}

func (c *countingWriter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.written += n

	return n, err
}
