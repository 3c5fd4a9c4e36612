package peers

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// bestPeer is pgx at its best. It sends the statements of a snapshot, or BEGIN and the first statement, in one batch, and
// so waits as seldom as it can. What is one statement is one round trip by pgxPeer already.
type bestPeer struct{ pgxPeer }

func openBest(ctx context.Context, url string) (Peer, error) {
	p, err := openPgx(ctx, url)
	if err != nil {
		return nil, err
	}

	return bestPeer{p.(pgxPeer)}, nil
}

// tracksOfPublishedAlbums does not wait for the page's ids.
const tracksOfPublishedAlbums = `SELECT id, album_id, name, length_seconds, audio_url, video_url, display_order
FROM tracks WHERE album_id = ANY(ARRAY(SELECT id FROM albums WHERE is_published ORDER BY year DESC, id DESC LIMIT $1))
ORDER BY album_id, display_order`

var atOnce = pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}

// snapshot sends a batch that begins with atOnce, with its COMMIT.
func (p bestPeer) snapshot(ctx context.Context, b *pgx.Batch) error {
	b.Queue("COMMIT")
	results := p.SendBatch(ctx, b)
	defer results.Tx().Rollback(ctx) // which does nothing after the COMMIT but release the connection

	return results.Close()
}

func (p bestPeer) AlbumByID(ctx context.Context, id int64, see See) error {
	var a Album
	var b pgx.Batch
	b.BeginTx(atOnce)
	b.Queue(albumByID, id).QueryRow(func(row pgx.Row) error { return scanAlbum(row, &a) })
	b.Queue(tracksOfAlbum, id).Query(func(rows pgx.Rows) error { return scanTracks(rows, &a) })
	err := p.snapshot(ctx, &b)
	it(see, a)

	return err
}

func (p bestPeer) ListAlbums(ctx context.Context, n int, see See) error {
	var albums []Album
	var ids []int64
	var b pgx.Batch
	b.BeginTx(atOnce)
	b.Queue(publishedAlbums, n).Query(func(rows pgx.Rows) (err error) {
		albums, ids, err = scanAlbums(rows, n)

		return err
	})
	b.Queue(tracksOfPublishedAlbums, n).Query(func(rows pgx.Rows) error { return shareTracks(rows, albums, ids) })
	err := p.snapshot(ctx, &b)
	it(see, albums)

	return err
}

// Buy sees the account before it sends the purchase, and the purchase before COMMIT, as the others do.
func (p bestPeer) Buy(ctx context.Context, in Buying, see See) error {
	var a Account
	var first pgx.Batch
	first.BeginTx(pgx.TxOptions{})
	first.Queue(accountByEmail, strings.ToLower(in.Email)).QueryRow(func(row pgx.Row) (err error) {
		a, err = scanAccount(row)

		return err
	})
	results := p.SendBatch(ctx, &first)
	tx := results.Tx()
	defer tx.Rollback(ctx)
	if err := results.Close(); err != nil {
		return err
	}
	var b Purchase
	err := scanPurchase(tx.QueryRow(ctx, recordPurchase, a.ID, in.AlbumID, in.PaymentRef, in.AmountPaidCents, now()), &b)
	if err != nil {
		return err
	}
	it(see, b)

	return tx.Commit(ctx)
}

// LoadTracks knows before COMMIT that every track was kept, as the store does: a trigger may have dropped one.
func (p bestPeer) LoadTracks(ctx context.Context, in []Track) error {
	return pgx.BeginFunc(ctx, p, func(tx pgx.Tx) error {
		n, err := copyTracks(ctx, tx, in)
		if err == nil && n != int64(len(in)) {
			err = errors.New("a track was not kept")
		}

		return err
	})
}
