// Package fill puts many rows into a store, by COPY. Row n is the same wherever it is made, and its time apart: the
// accounts and purchases are spread evenly over the last thousand days, the last of them now.
package fill

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"

	"musicstore/internal/repo"

	"github.com/jackc/pgx/v5"
)

// PasswordHash is everybody's.
const PasswordHash = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b5dWRWJTmaaXm3cGBRKEzHeaI0"

// TracksPerAlbum is how many tracks an album has.
const TracksPerAlbum = 10

const span = 1000 * 24 * time.Hour

// ID is the id of account n: hexadecimal digits without an order, like those that the store makes.
func ID(n int) string {
	sum := sha256.Sum256(binary.LittleEndian.AppendUint64(nil, uint64(n)))

	return hex.EncodeToString(sum[:16])
}

// Email is the address of account n.
func Email(n int) string { return "user" + strconv.Itoa(n) + "@example.com" }

// Accounts adds the accounts from first until before end, of which total are to be.
func Accounts(ctx context.Context, db repo.DB, first, end, total int) error {
	now := time.Now().UTC().Truncate(time.Microsecond)

	return load(ctx, db, "accounts", first, end,
		[]string{"id", "email", "email_key", "password_hash", "created_at", "email_confirmed", "is_super_user"},
		func(n int) []any {
			return []any{ID(n), Email(n), Email(n), PasswordHash, at(now, n, total), n%2 == 0, false}
		})
}

// Albums adds published albums with their tracks; their ids are their numbers, from 1.
func Albums(ctx context.Context, db repo.DB, albums int) error {
	if err := addAlbums(ctx, db, 1, albums+1, true); err != nil {
		return err
	}
	err := load(ctx, db, "tracks", 0, albums*TracksPerAlbum,
		[]string{"album_id", "name", "length_seconds", "audio_url", "video_url", "display_order"},
		func(n int) []any {
			audio := fmt.Sprintf("https://audio.example.com/%d.mp3", n)

			return []any{
				int64(n/TracksPerAlbum + 1), "Track " + strconv.Itoa(n), int32(120 + n%300), &audio, (*string)(nil),
				int32(n%TracksPerAlbum + 1),
			}
		})
	if err != nil {
		return err
	}
	_, err = db.Exec(ctx, "SELECT setval(pg_get_serial_sequence('albums', 'id'), $1)", int64(10_000_000_000))

	return err
}

// EmptyAlbums adds unpublished albums without tracks, with the ids from first until before end.
func EmptyAlbums(ctx context.Context, db repo.DB, first, end int) error {
	return addAlbums(ctx, db, first, end, false)
}

func addAlbums(ctx context.Context, db repo.DB, first, end int, published bool) error {
	return load(ctx, db, "albums", first, end,
		[]string{"id", "name", "url", "year", "price_cents", "image_url", "has_preview", "is_published"},
		func(n int) []any {
			image := fmt.Sprintf("https://images.example.com/%d.jpg", n)
			name := strconv.Itoa(n)

			return []any{
				int64(n), "Album " + name, "album-" + name, int32(1960 + n%60), int64(999), &image, n%2 == 0, published,
			}
		})
}

// Purchases adds the purchases from first until before end, of which total are to be, of accounts and albums that are
// there.
func Purchases(ctx context.Context, db repo.DB, first, end, total, accounts, albums int) error {
	now := time.Now().UTC().Truncate(time.Microsecond)

	return load(ctx, db, "purchases", first, end,
		[]string{"account_id", "album_id", "payment_ref", "description", "amount_paid_cents", "created_at"},
		func(n int) []any {
			return []any{
				ID(n * 7919 % accounts), int64(n*104729%albums + 1), "pi_" + strconv.Itoa(n), "", int64(999), at(now, n, total),
			}
		})
}

// UsedResets adds resets that accounts have used, all of them days ago.
func UsedResets(ctx context.Context, db repo.DB, resets, accounts int) error {
	now := time.Now().UTC().Truncate(time.Microsecond).AddDate(0, 0, -2)

	return load(ctx, db, "password_resets", 0, resets,
		[]string{"id", "account_id", "token_hash", "created_at", "expires_at", "used_at"},
		func(n int) []any {
			created, digest := at(now, n, resets), sha256.Sum256([]byte(ID(n)))

			return []any{
				ID(n), ID(n * 7919 % accounts), digest[:], created, created.Add(time.Hour), created.Add(time.Minute),
			}
		})
}

func at(now time.Time, n, total int) time.Time {
	return now.Add(-time.Duration(float64(total-1-n) / float64(total) * float64(span))).Truncate(time.Microsecond)
}

func load(ctx context.Context, db repo.DB, table string, first, end int, columns []string, row func(n int) []any) error {
	source := pgx.CopyFromSlice(end-first, func(i int) ([]any, error) { return row(first + i), nil })
	_, err := db.CopyFrom(ctx, pgx.Identifier{table}, columns, source)

	return err
}
