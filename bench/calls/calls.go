// Package calls has a call of each of the store's operations, on the rows that fill makes.
package calls

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	"musicstore/bench/fill"
	"musicstore/internal/repo"
)

// Call is one call. n is another number at each, and says which rows it is about.
type Call func(ctx context.Context, r *repo.Repo, n int) error

// Store is what is known of a filled store. The texts are made beforehand, so that a call's cost is its own.
type Store struct {
	ids, emails, asking, urls []string
	albums                    int

	tokens []string // of open resets
}

// Spread is how many accounts the calls are about, evenly spread over all.
const Spread = 400

// New returns what is known of a store with so many accounts and albums.
func New(accounts, albums int) *Store {
	const prime = 7919 // spreads consecutive calls over all rows
	s := &Store{albums: albums}
	for n := range min(accounts/2, Spread) {
		s.ids = append(s.ids, fill.ID(n*prime%accounts))
		s.emails = append(s.emails, fill.Email(n*prime%accounts))
		// Half of the accounts redeem resets, the other half ask for them: no more than one a minute is allowed.
		s.asking = append(s.asking, fill.ID(accounts/2+n*prime%(accounts/2)))
	}
	for n := range albums {
		s.urls = append(s.urls, "album-"+strconv.Itoa(n+1))
	}

	return s
}

func of(texts []string, n int) string { return texts[n%len(texts)] }

// OpenResets opens as many resets as there are to be calls of RedeemPasswordReset.
func (s *Store) OpenResets(ctx context.Context, r *repo.Repo, resets int) error {
	for n := range resets {
		_, token, err := r.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: fill.ID(n)})
		if err != nil {
			return err
		}
		s.tokens = append(s.tokens, token)
	}

	return nil
}

// All returns the calls by the names of their methods.
func (s *Store) All() map[string]Call {
	from := netip.MustParseAddr("192.0.2.7")

	return map[string]Call{
		"GetAccount": func(ctx context.Context, r *repo.Repo, n int) error {
			_, err := r.GetAccount(ctx, of(s.ids, n))

			return err
		},
		"GetAccountByEmail": func(ctx context.Context, r *repo.Repo, n int) error {
			_, err := r.GetAccountByEmail(ctx, of(s.emails, n))

			return err
		},
		"ListAccounts": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.ListAccounts(ctx, repo.Page{Limit: 50})

			return err
		},
		"CreateAccount": func(ctx context.Context, r *repo.Repo, n int) error {
			email := repo.Email("new" + strconv.Itoa(1_000_000+n) + "@example.com")
			_, err := r.CreateAccount(ctx, repo.NewAccount{Email: email, PasswordHash: repo.NewPasswordHash(fill.PasswordHash)})

			return err
		},
		"SetPasswordHash": func(ctx context.Context, r *repo.Repo, n int) error {
			return r.SetPasswordHash(ctx, of(s.ids, n), repo.NewPasswordHash(fill.PasswordHash))
		},
		"CreatePasswordReset": func(ctx context.Context, r *repo.Repo, n int) error {
			_, _, err := r.CreatePasswordReset(ctx, repo.NewPasswordReset{AccountID: of(s.asking, n)})

			return err
		},
		"GetAlbum": func(ctx context.Context, r *repo.Repo, n int) error {
			_, err := r.GetAlbum(ctx, int64(n%s.albums+1))

			return err
		},
		"GetAlbumByURL": func(ctx context.Context, r *repo.Repo, n int) error {
			_, err := r.GetAlbumByURL(ctx, of(s.urls, n))

			return err
		},
		"ListPublishedAlbums": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.ListPublishedAlbums(ctx, repo.Page{Limit: 100})

			return err
		},
		"CreateAlbum": func(ctx context.Context, r *repo.Repo, n int) error {
			name := "new-" + strconv.Itoa(1_000_000+n)
			_, err := r.CreateAlbum(ctx, repo.NewAlbum{Name: name, URL: name, Year: 1991, Tracks: twelve})

			return err
		},
		"LoadTracks": func(ctx context.Context, r *repo.Repo, n int) error {
			const first = 100 // no album has as many
			tracks := make([]repo.LoadTracksParams, len(twelve))
			for i, t := range twelve {
				tracks[i] = repo.LoadTracksParams{
					AlbumID: int64(n%s.albums + 1), Name: t.Name, LengthSeconds: t.LengthSeconds, AudioURL: t.AudioURL,
					DisplayOrder: int32(first + n/s.albums*len(twelve) + i),
				}
			}
			_, err := r.LoadTracks(ctx, tracks)

			return err
		},
		"RecordPurchase": func(ctx context.Context, r *repo.Repo, n int) error {
			_, err := r.RecordPurchase(ctx, repo.NewPurchase{
				AccountID: of(s.ids, n), AlbumID: int64(n%s.albums + 1), PaymentRef: "new_" + strconv.Itoa(1_000_000+n), AmountPaidCents: 999,
			})

			return err
		},
		"ListPurchasedAlbumIDs": func(ctx context.Context, r *repo.Repo, n int) error {
			_, err := r.ListPurchasedAlbumIDs(ctx, of(s.ids, n))

			return err
		},
		"RedeemPasswordReset": func(ctx context.Context, r *repo.Repo, _ int) error {
			token := s.tokens[0] // RedeemResets says how many there are
			s.tokens = s.tokens[1:]
			_, err := r.RedeemPasswordReset(ctx, token, repo.NewPasswordHash(fill.PasswordHash), from)

			return err
		},
		"DailyNewAccounts": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.DailyNewAccounts(ctx, repo.Days{Last: 30})

			return err
		},
		"DailySales": func(ctx context.Context, r *repo.Repo, _ int) error {
			_, err := r.DailySales(ctx, repo.Days{Last: 30})

			return err
		},
		"InTx": func(ctx context.Context, r *repo.Repo, n int) error {
			return r.InTx(ctx, func(tx *repo.Repo) error {
				_, err := tx.GetAccount(ctx, of(s.ids, n))

				return err
			})
		},
	}
}

var twelve = slices.Repeat([]repo.NewTrack{{Name: "Track", LengthSeconds: 182}}, 12)
