// Package peers does the store's operations the way each library's own documentation teaches, a file per library, so
// that they can be measured beside each other.
package peers

import (
	"context"
	"crypto/sha256"
	"net/netip"
	"time"

	"musicstore/internal/repo"
)

// Peer is one library's way to do the operations. Every result is shown to see, for the check that all peers return the
// same; see is nil while time is taken.
type Peer interface {
	AccountByEmail(ctx context.Context, email string, see See) error
	AlbumByID(ctx context.Context, id int64, see See) error // with its tracks in order
	ListAlbums(ctx context.Context, n int, see See) error   // the newest published ones, with their tracks in order
	CreateAccount(ctx context.Context, in NewAccount, see See) error
	CreateReset(ctx context.Context, accountID string, see See) error
	RedeemReset(ctx context.Context, in Redemption, see See) error
	CreateAlbum(ctx context.Context, in repo.NewAlbum, see See) error
	RecordPurchase(ctx context.Context, in NewPurchase, see See) error
	LoadTracks(ctx context.Context, in []Track) error
	Buy(ctx context.Context, in Buying, see See) error           // in a transaction: reads the account, then records its purchase
	AccountsToday(ctx context.Context, see See) error            // their number
	AccountsPerDay(ctx context.Context, days int, see See) error // a row a day, today last; the days are those of zone
	Close()
}

// See takes a result.
type See func(any)

// it shows a result if somebody wants to see it. The conversion to any, which costs an allocation, is made only then.
func it[T any](see See, result T) {
	if see != nil {
		see(result)
	}
}

// PoolSize is how many connections every peer may have and keep: repo.Open's own default.
const PoolSize = 16

const (
	// Pgx is hand-written pgx, with a call for each statement.
	Pgx = "pgx"
	// Best is pgx at its best: the same in the fewest round trips that pgx can do it in.
	Best = "pgx at its best"
	// Store is this project.
	Store = "musicstore"
	// Pipelined is the store with repo.WithPipelining, which is about look-ups and nothing else.
	Pipelined = "musicstore pipelined"
)

// Go lists the peers written in Go, those to compare with first.
var Go = []struct {
	Name string
	Open func(ctx context.Context, url string) (Peer, error)
}{
	{Pgx, openPgx},
	{Best, openBest},
	{Store, openMusicstore},
	{Pipelined, openPipelined},
	{"sqlc", openSqlc},
	{"database/sql", openSQL},
	{"sqlx", openSqlx},
	{"SQLBoiler", openSQLBoiler},
	{"Bob", openBob},
	{"ent", openEnt},
	{"GORM", openGorm},
	{"Bun", openBun},
}

// Account is a row of accounts. The names are also what the other libraries' rows are compared by.
type Account struct {
	ID             string
	Email          string
	EmailKey       string    `db:"email_key"`
	PasswordHash   string    `db:"password_hash"`
	CreatedAt      time.Time `db:"created_at"`
	EmailConfirmed bool      `db:"email_confirmed"`
	IsSuperUser    bool      `db:"is_super_user"`
}

// Album is a row of albums with its tracks.
type Album struct {
	ID          int64
	Name        string
	URL         string
	Year        int32
	PriceCents  int64   `db:"price_cents"`
	ImageURL    *string `db:"image_url"`
	HasPreview  bool    `db:"has_preview"`
	IsPublished bool    `db:"is_published"`
	Tracks      []Track
}

// Track is a row of tracks.
type Track struct {
	ID            int64   `json:"-"`
	AlbumID       int64   `db:"album_id"       json:"album_id"`
	Name          string  `json:"name"`
	LengthSeconds int32   `db:"length_seconds" json:"length_seconds"`
	AudioURL      *string `db:"audio_url"      json:"audio_url"`
	VideoURL      *string `db:"video_url"      json:"video_url"`
	DisplayOrder  int32   `db:"display_order"  json:"display_order"`
}

// Purchase is a row of purchases.
type Purchase struct {
	ID              int64
	AccountID       string `db:"account_id"`
	AlbumID         int64  `db:"album_id"`
	PaymentRef      string `db:"payment_ref"`
	Description     string
	AmountPaidCents int64     `db:"amount_paid_cents"`
	CreatedAt       time.Time `db:"created_at"`
}

// Reset is a row of password_resets.
type Reset struct {
	ID        string
	AccountID string        `db:"account_id"`
	TokenHash []byte        `db:"token_hash"`
	CreatedAt time.Time     `db:"created_at"`
	ExpiresAt time.Time     `db:"expires_at"`
	UsedAt    *time.Time    `db:"used_at"`
	UsedIP    *netip.Prefix `db:"used_ip"`
}

// Day is how many accounts a day brought.
type Day struct {
	Day      time.Time
	Accounts int64
}

// NewAccount is what CreateAccount takes. The id and the time are made by the peer.
type NewAccount struct {
	Email        string `json:"email"`
	PasswordHash string `json:"password_hash"`
}

// NewPurchase is what RecordPurchase takes. The time is made by the peer.
type NewPurchase struct {
	AccountID       string `json:"account_id"`
	AlbumID         int64  `json:"album_id"`
	PaymentRef      string `json:"payment_ref"`
	AmountPaidCents int64  `json:"amount_paid_cents"`
}

// Buying is what Buy takes: a purchase of the account with an address. The time is made by the peer.
type Buying struct {
	Email           string `json:"email"`
	AlbumID         int64  `json:"album_id"`
	PaymentRef      string `json:"payment_ref"`
	AmountPaidCents int64  `json:"amount_paid_cents"`
}

// Redemption is what RedeemReset takes.
type Redemption struct {
	Token        string `json:"token"`
	PasswordHash string `json:"password_hash"`
}

// from is where a reset is redeemed from.
const from = "192.0.2.7"

// What a user of any of the libraries writes once: an id and a time as the database keeps it.
func newID() string { return repo.NewID() }

func now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

func digest(token string) []byte {
	sum := sha256.Sum256([]byte(token))

	return sum[:]
}

// zone is where the days of the reports begin at midnight: one whose days are not all of one length.
var zone = func() *time.Location {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}

	return zone
}()

// today is the time at which the day began.
func today() time.Time {
	year, month, day := time.Now().In(zone).Date()

	return time.Date(year, month, day, 0, 0, 0, 0, zone)
}
