package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"

	"musicstore/bench/fill"
	"musicstore/bench/peers"
	"musicstore/internal/repo"
	"musicstore/layer/private"
)

// operation is what is measured.
type operation struct {
	key, title string

	calls   int  // in a block
	threads int  // that share a block's calls; 0 is 1
	cycles  int  // at the most, for what takes long; 0: as many as the flag says
	extra   bool // only when asked for by name
	lookUp  bool // of what pipelining is for
	batched bool // pgx can do it in fewer round trips than by a call for each statement

	setup string // SQL that is run before it is measured

	method string // of the Python peer
	call   func(ctx context.Context, p peers.Peer, in any, see peers.See) error

	prepare func(ctx context.Context, b *bench, n int) ([]any, error) // the inputs of n calls; takes no measured time
	after   func(ctx context.Context, b *bench) error                 // clears up behind a block

	// For the check that all peers do the same, beside the result: what is stored, as rows of one JSON value, found by a
	// part of the input; how to take it back; how to make the input good once more; what of the result is made anew.
	stored, undo string
	storedArg    func(in any) any
	again        func(ctx context.Context, b *bench, in []any) error
	made         []string
}

// list turns a function for one input into one for many.
func list[T any](one func(b *bench) T) func(context.Context, *bench, int) ([]any, error) {
	return func(_ context.Context, b *bench, n int) ([]any, error) {
		inputs := make([]any, n)
		for i := range inputs {
			inputs[i] = one(b)
		}

		return inputs, nil
	}
}

// often is how many accounts the look-ups are of: those that are in everybody's caches.
const often = 1000

func lookUps(key, title string, threads, calls int) operation {
	return accountLookUps(key, title, threads, calls, func(b *bench) int { return min(often, b.accounts) })
}

func accountLookUps(key, title string, threads, calls int, among func(b *bench) int) operation {
	return operation{
		key: key, title: title, calls: calls, threads: threads, lookUp: true, method: "account_by_email",
		prepare: list(func(b *bench) string { return fill.Email(rand.IntN(among(b))) }),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.AccountByEmail(ctx, in.(string), see)
		},
	}
}

func albumLookUps(key, title string, threads, calls int) operation {
	return operation{
		key: key, title: title, calls: calls, threads: threads, lookUp: true, batched: true, method: "album_by_id",
		prepare: list(func(b *bench) int64 { return int64(1 + rand.IntN(min(often, b.albums))) }),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.AlbumByID(ctx, in.(int64), see)
		},
	}
}

func bulkLoad(key, title string, rows int, cycles int, setup string, extra bool) operation {
	return operation{
		key: key, title: title, calls: 1, cycles: cycles, setup: setup, extra: extra, method: "load_tracks",
		prepare: func(ctx context.Context, b *bench, n int) ([]any, error) {
			tracks, err := b.emptyTracks(ctx, rows)
			inputs := make([]any, n)
			for i := range inputs {
				inputs[i] = tracks
			}

			return inputs, err
		},
		call: func(ctx context.Context, p peers.Peer, in any, _ peers.See) error {
			return p.LoadTracks(ctx, in.([]peers.Track))
		},
		after: dropLoaded,
		stored: `SELECT to_jsonb(s) FROM (SELECT count(*), count(DISTINCT album_id) AS albums, sum(length_seconds),
			sum(display_order) AS orders, count(audio_url) AS audio, max(name) AS last FROM tracks WHERE album_id >= $1) AS s`,
		undo:      `DELETE FROM tracks WHERE album_id >= $1`,
		storedArg: func(in any) any { return in.([]peers.Track)[0].AlbumID },
	}
}

var operations = []operation{
	lookUps("account-by-email", "Account by e-mail", 1, 50),
	accountLookUps("account-cold", "Account by e-mail, any of a million", 1, 50, func(b *bench) int { return b.accounts }),
	albumLookUps("album-by-id", "Album by id, with its 10 tracks", 1, 30),
	{
		key: "list-albums", title: "List 100 published albums with 10 tracks each", calls: 3, method: "list_albums", batched: true,
		prepare: list(func(*bench) int { return 100 }),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.ListAlbums(ctx, in.(int), see)
		},
	},
	{
		key: "accounts-today", title: "Accounts created today", calls: 10, method: "accounts_today",
		prepare: list(func(*bench) any { return nil }),
		call:    func(ctx context.Context, p peers.Peer, _ any, see peers.See) error { return p.AccountsToday(ctx, see) },
	},
	{
		key: "accounts-30-days", title: "Accounts per day, 30 days", calls: 1, method: "accounts_per_day",
		prepare: list(func(*bench) int { return 30 }),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.AccountsPerDay(ctx, in.(int), see)
		},
	},
	{
		key: "create-account", title: "Create an account", calls: 30, method: "create_account",
		prepare: list(func(b *bench) peers.NewAccount {
			return peers.NewAccount{Email: "new" + b.next() + "@example.com", PasswordHash: fill.PasswordHash}
		}),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.CreateAccount(ctx, in.(peers.NewAccount), see)
		},
		stored:    `SELECT to_jsonb(a) - 'id' - 'created_at' FROM accounts AS a WHERE email_key = $1`,
		undo:      `DELETE FROM accounts WHERE email_key = $1`,
		storedArg: func(in any) any { return in.(peers.NewAccount).Email },
		made:      []string{"id", "createdat"},
	},
	{
		key: "create-reset", title: "Create a password reset", calls: 30, method: "create_reset",
		prepare: func(ctx context.Context, b *bench, n int) ([]any, error) { return b.accountsWithoutReset(ctx, n) },
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.CreateReset(ctx, in.(string), see)
		},
		stored: `SELECT to_jsonb(r) - 'id' - 'created_at' - 'expires_at' - 'token_hash' FROM password_resets AS r
			WHERE account_id = $1 AND used_at IS NULL`,
		undo:      `DELETE FROM password_resets WHERE account_id = $1 AND used_at IS NULL`,
		storedArg: func(in any) any { return in },
		made:      []string{"id", "createdat", "expiresat", "tokenhash"},
	},
	{
		key: "redeem-reset", title: "Redeem a password reset", calls: 20, method: "redeem_reset",
		prepare: func(ctx context.Context, b *bench, n int) ([]any, error) { return b.openResets(ctx, n) },
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.RedeemReset(ctx, in.(peers.Redemption), see)
		},
		stored: `SELECT jsonb_build_array(to_jsonb(r) - 'used_at', r.used_at IS NOT NULL, to_jsonb(a))
			FROM password_resets AS r JOIN accounts AS a ON a.id = r.account_id WHERE token_hash = $1`,
		storedArg: func(in any) any {
			return []byte(private.DigestOf(in.(peers.Redemption).Token).Reveal())
		},
		again: func(ctx context.Context, b *bench, in []any) error {
			sum := []byte(private.DigestOf(in[0].(peers.Redemption).Token).Reveal())
			_, err := b.db.Exec(ctx, "UPDATE password_resets SET used_at = NULL, used_ip = NULL WHERE token_hash = $1", sum)

			return err
		},
	},
	{
		key: "create-album", title: "Create an album with 12 tracks", calls: 10, method: "create_album",
		prepare: list(newAlbum),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.CreateAlbum(ctx, in.(repo.NewAlbum), see)
		},
		stored: `SELECT jsonb_build_array(to_jsonb(a) - 'id', (SELECT jsonb_agg(to_jsonb(t) - 'id' - 'album_id'
			ORDER BY display_order) FROM tracks AS t WHERE t.album_id = a.id)) FROM albums AS a WHERE url = $1`,
		undo:      `DELETE FROM albums WHERE url = $1`,
		storedArg: func(in any) any { return in.(repo.NewAlbum).URL },
		made:      []string{"id", "albumid"},
	},
	{
		key: "record-purchase", title: "Record a purchase", calls: 30, method: "record_purchase",
		prepare: list(func(b *bench) peers.NewPurchase {
			return peers.NewPurchase{
				AccountID: fill.ID(rand.IntN(b.accounts)), AlbumID: int64(1 + rand.IntN(b.albums)),
				PaymentRef: "bench_" + b.next(), AmountPaidCents: 999,
			}
		}),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.RecordPurchase(ctx, in.(peers.NewPurchase), see)
		},
		stored:    `SELECT to_jsonb(p) - 'id' - 'created_at' FROM purchases AS p WHERE payment_ref = $1`,
		undo:      `DELETE FROM purchases WHERE payment_ref = $1`,
		storedArg: func(in any) any { return in.(peers.NewPurchase).PaymentRef },
		made:      []string{"id", "createdat"},
	},
	{
		key: "buy", title: "A transaction: an account by e-mail, then its purchase", calls: 20, method: "buy", batched: true,
		prepare: list(func(b *bench) peers.Buying {
			return peers.Buying{
				Email: fill.Email(rand.IntN(b.accounts)), AlbumID: int64(1 + rand.IntN(b.albums)),
				PaymentRef: "bench_" + b.next(), AmountPaidCents: 999,
			}
		}),
		call: func(ctx context.Context, p peers.Peer, in any, see peers.See) error {
			return p.Buy(ctx, in.(peers.Buying), see)
		},
		stored:    `SELECT to_jsonb(p) - 'id' - 'created_at' FROM purchases AS p WHERE payment_ref = $1`,
		undo:      `DELETE FROM purchases WHERE payment_ref = $1`,
		storedArg: func(in any) any { return in.(peers.Buying).PaymentRef },
		made:      []string{"id", "createdat"},
	},
	lookUps("account-8", "Account by e-mail, from 8 goroutines", 8, 160),
	lookUps("account-32", "Account by e-mail, from 32 goroutines", 32, 640),
	lookUps("account-128", "Account by e-mail, from 128 goroutines", 128, 2560),
	albumLookUps("album-32", "Album by id, with its 10 tracks, from 32 goroutines", 32, 640),
	bulkLoad("load-10-tracks", "Load 10 tracks", 10, 0, "", true),
	bulkLoad("load-10k-tracks", "Load 10,000 tracks", 10_000, 30, "", false),
	bulkLoad("load-1m-tracks", "Load 1,000,000 tracks", 1_000_000, 3, "", true),
	// The last, because it does not put back what it takes away.
	bulkLoad("load-10k-tracks-bare", "Load 10,000 tracks into a table without indexes, checks and foreign key", 10_000, 30, `
		ALTER TABLE tracks DROP CONSTRAINT tracks_pkey, DROP CONSTRAINT tracks_album_id_fkey,
			DROP CONSTRAINT tracks_display_order_key, DROP CONSTRAINT tracks_name_check,
			DROP CONSTRAINT tracks_length_seconds_check, DROP CONSTRAINT tracks_audio_url_check,
			DROP CONSTRAINT tracks_video_url_check, DROP CONSTRAINT tracks_display_order_check;
		DROP INDEX tracks_search_idx`, false),
}

func newAlbum(b *bench) repo.NewAlbum {
	name := "new-album-" + b.next()
	image := "https://images.example.com/" + name + ".jpg"
	a := repo.NewAlbum{
		Name: name, URL: name, Year: 1991, PriceCents: 999, ImageURL: &image, Tracks: make([]repo.NewTrack, 12),
	}
	for i := range a.Tracks {
		audio := fmt.Sprintf("https://audio.example.com/%s/%d.mp3", name, i)
		a.Tracks[i] = repo.NewTrack{Name: "Track " + strconv.Itoa(i), LengthSeconds: int32(100 + i), AudioURL: &audio}
	}

	return a
}
