package repo_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"testing"

	"musicstore/internal/dbgen"
	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
	"musicstore/layer/wireproxy"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

// linkOp is an operation of the store, as it is under test on a link that breaks.
type linkOp struct {
	keyed  bool // it may be sent again
	writes bool
	do     func(ctx context.Context, w *world) error
	done   string // an SQL query that returns how often it was done; "" when that does not show
}

// world is what an operation finds: rows made anew for each run, in a database that has those of the runs before, too.
type world struct {
	store    *repo.Repo // over the link
	name     string     // is of this run alone
	account  repo.Account
	album    repo.AlbumWithTracks
	purchase repo.Purchase
	token    string
}

func newWorld(t *testing.T, direct, store *repo.Repo) *world {
	t.Helper()
	w := &world{store: store, name: repo.NewID()}
	w.account = newAccount(t, direct, repo.Email(w.name+"@x"))
	w.album = newAlbum(t, direct, w.name, 3)
	var err error
	_, w.token, err = direct.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: w.account.ID})
	require.NoError(t, err)
	other := newAccount(t, direct, repo.Email(w.name+"@buyer"))
	another := newAlbum(t, direct, w.name+" sold", 0)
	w.purchase, err = direct.RecordPurchase(t.Context(), repo.NewPurchase{
		AccountID: other.ID, AlbumID: another.ID, PaymentRef: w.name,
	})
	require.NoError(t, err)

	return w
}

// read returns an operation that changes nothing.
func read[T any](do func(ctx context.Context, w *world) (T, error)) linkOp {
	return linkOp{do: func(ctx context.Context, w *world) error {
		_, err := do(ctx, w)

		return err
	}}
}

// write returns an operation that is done as often as a query counts: $1 is the run's name, $2 its account and $3 its
// album.
func write[T any](done string, do func(ctx context.Context, w *world) (T, error)) linkOp {
	op := unsure(do)
	op.done = "WITH run AS (SELECT $1::text, $2::text, $3::bigint) SELECT count(*) FROM " + done

	return op
}

// unsure returns a write that leaves no trace here.
func unsure[T any](do func(ctx context.Context, w *world) (T, error)) linkOp {
	op := read(do)
	op.writes = true

	return op
}

func keyed(op linkOp) linkOp {
	op.keyed = true

	return op
}

var errWalk = errors.New("the walk ended early")

// linkOps are the operations of which this package has Go. What they share is tested in layer/dbtx, with every generated query.
var linkOps = map[string]linkOp{
	"AllPurchases": read(func(ctx context.Context, w *world) (int, error) {
		n := 0
		for _, err := range w.store.AllPurchases(ctx, w.purchase.AccountID) {
			if err != nil {
				return n, err
			}
			n++
		}
		if n != 1 {
			return n, errWalk
		}

		return n, nil
	}),
	"GetAlbum": read(func(ctx context.Context, w *world) (repo.AlbumWithTracks, error) {
		a, err := w.store.GetAlbum(ctx, w.album.ID)
		if err == nil && len(a.Tracks) != 3 {
			return a, errWalk
		}

		return a, err
	}),
	"GetAlbumByURL": read(func(ctx context.Context, w *world) (repo.AlbumWithTracks, error) {
		return w.store.GetAlbumByURL(ctx, w.album.URL)
	}),
	"ListAlbums": read(func(ctx context.Context, w *world) ([]repo.AlbumWithTracks, error) {
		return w.store.ListAlbums(ctx, repo.Page{Limit: 3})
	}),
	"ListPublishedAlbums": read(func(ctx context.Context, w *world) ([]repo.AlbumWithTracks, error) {
		return w.store.ListPublishedAlbums(ctx, repo.Page{Limit: 3})
	}),
	"CreateAccount": keyed(write("accounts WHERE email = $1 || '@new'", func(ctx context.Context, w *world) (repo.Account, error) {
		return w.store.CreateAccount(ctx, repo.NewAccount{Email: repo.Email(w.name + "@new"), PasswordHash: hash})
	})),
	"RecordPurchase": keyed(write("purchases WHERE payment_ref = $1 || ' new'", func(ctx context.Context, w *world) (repo.Purchase, error) {
		return w.store.RecordPurchase(ctx, repo.NewPurchase{
			AccountID: w.account.ID, AlbumID: w.album.ID, PaymentRef: w.name + " new",
		})
	})),
	"CreatePasswordReset": keyed(write("password_resets WHERE id = $1", func(ctx context.Context, w *world) (repo.PasswordReset, error) {
		reset, _, err := w.store.CreatePasswordReset(ctx, repo.NewPasswordReset{ID: w.name, AccountID: w.account.ID})

		return reset, err
	})),
	"SetPasswordHash": write("accounts WHERE id = $2 AND password_hash LIKE '%b3RoZXJ%'", func(ctx context.Context, w *world) (any, error) {
		return nil, w.store.SetPasswordHash(ctx, w.account.ID, hash2)
	}),
	"RedeemPasswordReset": write("accounts WHERE id = $2 AND password_hash LIKE '%b3RoZXJ%'", func(ctx context.Context, w *world) (repo.Account, error) {
		return w.store.RedeemPasswordReset(ctx, w.token, hash2, netip.MustParseAddr("192.0.2.7"))
	}),
	"CreateAlbum": write("albums WHERE name = $1 || ' new'", func(ctx context.Context, w *world) (repo.AlbumWithTracks, error) {
		return w.store.CreateAlbum(ctx, album(w.name+" new", 3))
	}),
	"CreateAlbums": write("albums WHERE name = $1 || ' new'", func(ctx context.Context, w *world) (any, error) {
		return nil, w.store.CreateAlbums(ctx, []repo.NewAlbum{album(w.name+" new", 2), album(w.name+" newer", 1)})
	}),
	"LoadTracks": write("tracks WHERE album_id = $3 AND name = 'new'", func(ctx context.Context, w *world) (int64, error) {
		next := int32(len(w.album.Tracks) + 1)

		return w.store.LoadTracks(ctx, []repo.LoadTracksParams{{AlbumID: w.album.ID, Name: "new", DisplayOrder: next}})
	}),
	"AddTrack": write("tracks WHERE album_id = $3 AND name = 'new'", func(ctx context.Context, w *world) (repo.Track, error) {
		return w.store.AddTrack(ctx, w.album.ID, repo.NewTrack{Name: "new", LengthSeconds: 1}, 2)
	}),
	"MoveTrack": write("tracks WHERE album_id = $3 AND name = $1 || ' 3' AND display_order = 1", func(ctx context.Context, w *world) (repo.Track, error) {
		return w.store.MoveTrack(ctx, w.album.Tracks[2].ID, 1)
	}),
	"DeleteTrack": write("(SELECT WHERE NOT EXISTS (SELECT FROM tracks WHERE album_id = $3 AND name = $1 || ' 1')) AS gone", func(ctx context.Context, w *world) (repo.Track, error) {
		return w.store.DeleteTrack(ctx, w.album.Tracks[0].ID)
	}),
	"InTxAtASavepoint": write("albums WHERE name = $1 || ' new'", func(ctx context.Context, w *world) (any, error) {
		return nil, w.store.InTx(ctx, func(tx *repo.Repo) error {
			return tx.InTx(ctx, func(tx *repo.Repo) error {
				_, err := tx.CreateAlbum(ctx, album(w.name+" new", 1))

				return err
			})
		})
	}),
}

func TestRepo_OutlivesItsLink(t *testing.T) {
	t.Parallel()
	// Some messages of two operations: all messages of all operations are in TestSoak_EveryOperationOutlivesItsLink.
	for name, step := range map[string]int{"CreateAlbum": 15, "MoveTrack": 35} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name != "CreateAlbum" {
				dbtest.Full(t)
			}
			breakEverywhere(t, linkOps[name], false, step)
		})
	}
}

func TestSoak_EveryOperationOutlivesItsLink(t *testing.T) {
	t.Parallel()
	dbtest.Soak(t)
	for name, op := range linkOps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			breakEverywhere(t, op, false, 1)
		})
	}
	for _, name := range []string{"GetAlbum", "CreateAccount", "CreateAlbum", "AddTrack"} {
		t.Run(name+"OnANewConnection", func(t *testing.T) {
			t.Parallel()
			breakEverywhere(t, linkOps[name], true, 1)
		})
	}
}

// breakEverywhere runs an operation again and again, with the link broken at its first message, or one soon after, then
// so many messages later, and so on to its last, in every way there is.
func breakEverywhere(t *testing.T, op linkOp, fresh bool, step int) {
	t.Helper()
	url := dbtest.URL(t)
	direct, err := repo.Open(t.Context(), url, repo.WithResetInterval(0))
	require.NoError(t, err)
	t.Cleanup(direct.Close)
	proxy := wireproxy.New(t, url)
	for i, fault := range dbtest.Sample(2, slices.Sorted(maps.Keys(dbtxtest.LinkFaults))...) {
		if fresh && fault == "CancelledInSilence" {
			continue // the pool goes on to make a connection that nobody waits for, until its connect_timeout
		}
		faults, failed := 0, map[string]int{}
		store := open(t, proxy.URL("pool_max_conns=1"), repo.WithResetInterval(0))
		pool := store.DB().(*pgxpool.Pool)
		for at := 1 + 2*i%step; ; at += step { // each fault at other messages
			if fresh {
				pool.Reset()
				proxy.Settle(0)
			} else {
				dbtxtest.Forget(t, pool)
			}
			world := newWorld(t, direct, store)
			ctx, cancel := context.WithCancel(t.Context())
			w := dbtxtest.NewWire(&dbgen.Metadata, at, func() wireproxy.Action { return dbtxtest.LinkFaults[fault](cancel) })
			where := fmt.Sprintf("%s at message %d", fault, at)

			proxy.Set(w.Rule)
			err = op.do(ctx, world)
			proxy.Set(nil)
			cancel()

			// The pool's one connection can be had again, idle and good, and is all that is left.
			require.NoError(t, pool.AcquireFunc(t.Context(), func(c *pgxpool.Conn) error {
				require.Equal(t, byte('I'), c.Conn().PgConn().TxStatus(), where)

				return nil
			}), where)
			_, readErr := store.GetAccount(t.Context(), world.purchase.AccountID)
			require.NoError(t, readErr, where)
			proxy.Settle(1)

			broken, runs := w.Result()
			if !broken { // the operation ended before it
				require.NoError(t, err, where)
				requireTyped(t, direct, op, world, err, where)

				break
			}
			faults++
			requireTyped(t, direct, op, world, err, where)
			if !op.keyed {
				require.LessOrEqual(t, runs, 1, where)
			}
			failed[dbtxtest.KindOf(err)]++
		}
		require.Positive(t, faults)
		t.Logf("%s: %d messages: %v", fault, faults, failed)
		store.Close() // and the pool ends, as does all behind it
		require.Zero(t, pool.Stat().TotalConns())
		proxy.Settle(0)
	}
	requireInvariants(t, direct)
}

// requireTyped looks whether what an operation said is a known error or none, and true.
func requireTyped(t *testing.T, direct *repo.Repo, op linkOp, w *world, err error, where string) {
	t.Helper()
	kind := dbtxtest.KindOf(err)
	require.NotEqual(t, "untyped", kind, "%s: %v", where, err)
	if !op.writes {
		require.NotEqual(t, "outcome unknown", kind, "%s: %v", where, err)
	}
	if op.done == "" {
		return
	}
	n := timesDone(t, direct, op, w)
	switch kind {
	case "done":
		require.Equal(t, 1, n, where)
	case "outcome unknown":
		require.LessOrEqual(t, n, 1, where)
	default:
		require.Zero(t, n, "%s: %v", where, err)
	}
}

func timesDone(t *testing.T, direct *repo.Repo, op linkOp, w *world) (n int) {
	t.Helper()
	require.NoError(t, direct.DB().QueryRow(t.Context(), op.done, w.name, w.account.ID, w.album.ID).Scan(&n))

	return n
}

// requireInvariants looks whether the rows of all runs are what they must be, whatever happened to the links.
func requireInvariants(t *testing.T, direct *repo.Repo) {
	t.Helper()
	for what, sql := range map[string]string{
		"tracks are numbered from 1 without holes": `SELECT count(*) FROM (SELECT FROM tracks GROUP BY album_id
			HAVING min(display_order) <> 1 OR max(display_order) <> count(*) OR count(DISTINCT display_order) <> count(*)) AS bad`,
		"a new album has all its tracks or is not there": `SELECT count(*) FROM albums AS a WHERE name LIKE '% new'
			AND NOT EXISTS (SELECT FROM tracks WHERE album_id = a.id)`,
		"an account has one purchase of an album": `SELECT count(*) FROM (SELECT FROM purchases GROUP BY account_id, album_id
			HAVING count(*) > 1) AS bad`,
		"no session is left in a transaction": `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND state LIKE 'idle in transaction%'`,
	} {
		var bad int
		require.NoError(t, direct.DB().QueryRow(t.Context(), sql).Scan(&bad))
		require.Zero(t, bad, what)
	}
}
