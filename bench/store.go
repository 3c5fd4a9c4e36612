package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"musicstore/bench/fill"
	"musicstore/bench/peers"
	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/private"
)

// bench is the store with its rows and all that is measured on it.
type bench struct {
	url   string
	link  *link // to the server; nil where peers reach it directly
	store *repo.Repo
	db    repo.DB // for what is not measured

	accounts, albums int
	contenders       []contender
	missing          []Row

	peersURL string // the server's as the peers reach it

	names   int // how many were given out
	account int // the next one without a reset
	loading []peers.Track
	emptied int // how many albums without tracks there are
}

// load makes the tables and fills them.
func (b *bench) load(ctx context.Context) (err error) {
	if b.store, err = repo.Open(ctx, b.url); err != nil {
		return err
	}
	b.db = b.store.DB()
	if _, err := schema.Bootstrap(ctx, b.db); err != nil {
		return err
	}
	start := time.Now()
	if err := fill.Accounts(ctx, b.db, 0, b.accounts, b.accounts); err != nil {
		return err
	}
	if err := fill.Albums(ctx, b.db, b.albums); err != nil {
		return err
	}
	// What a store has after a while: the plans made of empty tables are others, and are kept.
	if err := fill.Purchases(ctx, b.db, 0, b.accounts/10, b.accounts/10, b.accounts, b.albums); err != nil {
		return err
	}
	if err := fill.UsedResets(ctx, b.db, b.accounts/10, b.accounts); err != nil {
		return err
	}
	if _, err := b.db.Exec(ctx, "VACUUM ANALYZE"); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "%d accounts, %d albums, %d tracks: loaded in %.1f s\n",
		b.accounts, b.albums, b.albums*fill.TracksPerAlbum, time.Since(start).Seconds())

	return nil
}

// next is a name that nobody has yet.
func (b *bench) next() string {
	b.names++

	return strconv.Itoa(b.names)
}

// accountsWithoutReset returns the ids of n accounts that have asked for no reset.
func (b *bench) accountsWithoutReset(ctx context.Context, n int) ([]any, error) {
	if b.account+n > b.accounts {
		b.account = 0
		if _, err := b.db.Exec(ctx, "DELETE FROM password_resets WHERE created_at > now() - interval '1 day'"); err != nil {
			return nil, err
		}
	}
	ids := make([]any, n)
	for i := range ids {
		ids[i] = fill.ID(b.account)
		b.account++
	}

	return ids, nil
}

// openResets opens n resets of different accounts.
func (b *bench) openResets(ctx context.Context, n int) ([]any, error) {
	accounts, err := b.accountsWithoutReset(ctx, n)
	if err != nil {
		return nil, err
	}
	inputs := make([]any, n)
	ids, of, digests := make([]string, n), make([]string, n), make([][]byte, n)
	for i := range n {
		token := repo.NewID()
		ids[i], of[i], digests[i] = repo.NewID(), accounts[i].(string), []byte(private.DigestOf(token).Reveal())
		inputs[i] = peers.Redemption{Token: token, PasswordHash: fill.PasswordHash}
	}
	_, err = b.db.Exec(ctx, `INSERT INTO password_resets (id, account_id, token_hash, created_at, expires_at)
		SELECT id, account_id, token_hash, now() - interval '1 minute', now() + interval '1 hour'
		FROM unnest($1::text[], $2::text[], $3::bytea[]) AS r (id, account_id, token_hash)`, ids, of, digests)

	return inputs, err
}

// firstEmpty is the id of the first album that has no tracks.
const firstEmpty = 1_000_000_000

// emptyTracks returns tracks to be of albums that have none, and makes these albums.
func (b *bench) emptyTracks(ctx context.Context, n int) ([]peers.Track, error) {
	if len(b.loading) == n {
		return b.loading, nil
	}
	if albums := n / fill.TracksPerAlbum; b.emptied < albums {
		if err := fill.EmptyAlbums(ctx, b.db, firstEmpty+b.emptied, firstEmpty+albums); err != nil {
			return nil, err
		}
		b.emptied = albums
	}
	b.loading = make([]peers.Track, n)
	for i := range b.loading {
		audio := fmt.Sprintf("https://audio.example.com/%d.mp3", i)
		b.loading[i] = peers.Track{
			AlbumID: int64(firstEmpty + i/fill.TracksPerAlbum), Name: "Loaded " + strconv.Itoa(i),
			LengthSeconds: int32(100 + i%200), AudioURL: &audio, DisplayOrder: int32(i%fill.TracksPerAlbum + 1),
		}
	}

	return b.loading, nil
}

func dropLoaded(ctx context.Context, b *bench) error {
	if _, err := b.db.Exec(ctx, "DELETE FROM tracks WHERE album_id >= $1", int64(firstEmpty)); err != nil {
		return err
	}
	_, err := b.db.Exec(ctx, "VACUUM tracks")

	return err
}
