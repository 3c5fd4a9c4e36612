package repo_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
	"musicstore/layer/dbtx/dbtxtest"
)

// trigger makes a trigger that runs body for each row.
func trigger(t *testing.T, store *repo.Repo, when, table, body string) {
	t.Helper()
	_, err := store.DB().Exec(t.Context(), `
		CREATE OR REPLACE FUNCTION meddle_`+table+`() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN `+body+` END $$;
		CREATE TRIGGER meddle `+when+` ON `+table+` FOR EACH ROW EXECUTE FUNCTION meddle_`+table+`()`)
	require.NoError(t, err)
}

// count counts the rows of a table.
func count(t *testing.T, store *repo.Repo, from string) (n int) {
	t.Helper()
	require.NoError(t, store.DB().QueryRow(t.Context(), "SELECT count(*) FROM "+from).Scan(&n))

	return n
}

func TestRepo_AWriteOfWhichATriggerDropsARowKeepsNothing(t *testing.T) { //nolint:tparallel // its parts share a store
	t.Parallel()
	shared := dbtest.New(t)
	// anew returns the store without the rows and the triggers of before. A database for each part would cost far more.
	anew := func(t *testing.T) *repo.Repo {
		t.Helper()
		for _, table := range []string{"password_resets", "purchases", "tracks", "albums", "accounts"} {
			_, err := shared.DB().Exec(t.Context(), "DROP FUNCTION IF EXISTS meddle_"+table+" CASCADE; DELETE FROM "+table)
			require.NoError(t, err)
		}

		return shared
	}
	const dropAll = "RETURN NULL;"
	const dropSecond = "IF NEW.display_order = 2 THEN RETURN NULL; END IF; RETURN NEW;"

	t.Run("CreateAlbum", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		for table, body := range map[string]string{
			"albums": dropAll, "tracks": dropSecond,
		} {
			store := anew(t)
			trigger(t, store, "BEFORE INSERT", table, body)
			_, err := store.CreateAlbum(t.Context(), album("A", 3))
			require.ErrorIs(t, err, repo.ErrRowsNotKept, table)
			require.EqualError(t, err, "create album: the database did not keep every row: a trigger or a rule dropped one")
			require.ErrorIs(t, store.CreateAlbums(t.Context(), []repo.NewAlbum{album("B", 3), album("C", 2)}),
				repo.ErrRowsNotKept, table)
			require.Zero(t, count(t, store, "albums"))
			require.Zero(t, count(t, store, "tracks"))
			// In a transaction, too, and behind a savepoint the transaction goes on.
			require.NoError(t, store.InTx(t.Context(), func(tx *repo.Repo) error {
				require.ErrorIs(t, tx.InTx(t.Context(), func(tx *repo.Repo) error {
					return tx.CreateAlbums(t.Context(), []repo.NewAlbum{album("B", 3)})
				}), repo.ErrRowsNotKept)

				return nil
			}))
			require.Zero(t, count(t, store, "albums"))
		}

		// The control: the statement without the look at what was stored keeps the album, and a track less.
		store := anew(t)
		trigger(t, store, "BEFORE INSERT", "tracks", dropSecond)
		_, err := store.DB().Exec(t.Context(), `
			WITH album AS (
				INSERT INTO albums (name, url, year, price_cents, has_preview, is_published)
				VALUES ('A', 'a', 1991, 1, false, false) RETURNING id
			)
			INSERT INTO tracks (album_id, name, length_seconds, display_order)
			SELECT id, 'T', 1, n FROM album, generate_series(1, 3) AS n`)
		require.NoError(t, err)
		require.Equal(t, 1, count(t, store, "albums"))
		require.Equal(t, 2, count(t, store, "tracks"))
	})
	t.Run("CreateAlbum_OfATrackThatIsSentElsewhere", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		other := newAlbum(t, store, "Other", 0)
		trigger(t, store, "BEFORE INSERT", "tracks", "NEW.album_id = (SELECT min(id) FROM albums); RETURN NEW;")
		_, err := store.CreateAlbum(t.Context(), album("A", 1))
		require.ErrorIs(t, err, repo.ErrRowsNotKept)
		require.ErrorIs(t, store.CreateAlbums(t.Context(), []repo.NewAlbum{album("B", 1)}), repo.ErrRowsNotKept)
		read, err := store.GetAlbum(t.Context(), other.ID)
		require.NoError(t, err)
		require.Equal(t, other, read)
	})
	t.Run("CreateAlbums_OfAChangedURL", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		trigger(t, store, "BEFORE INSERT", "albums", "NEW.url = 'x-' || NEW.url; RETURN NEW;")
		require.ErrorIs(t, store.CreateAlbums(t.Context(), []repo.NewAlbum{album("A", 1)}), repo.ErrRowsNotKept)
		require.Zero(t, count(t, store, "albums"))
	})
	t.Run("LoadTracks", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		a := newAlbum(t, store, "A", 0)
		trigger(t, store, "BEFORE INSERT", "tracks", dropSecond)
		tracks := []repo.LoadTracksParams{
			{AlbumID: a.ID, Name: "1", DisplayOrder: 1}, {AlbumID: a.ID, Name: "2", DisplayOrder: 2},
		}
		n, err := store.LoadTracks(t.Context(), tracks)
		require.ErrorIs(t, err, repo.ErrRowsNotKept)
		require.Zero(t, n)
		require.Zero(t, count(t, store, "tracks"))
		// The control: COPY by itself keeps the rest.
		n, err = repo.Generated(store).LoadTracks(t.Context(), tracks)
		require.NoError(t, err)
		require.Equal(t, int64(1), n)
		require.Equal(t, 1, count(t, store, "tracks"))
	})
	t.Run("AddTrack", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		a := newAlbum(t, store, "A", 3)
		trigger(t, store, "BEFORE INSERT", "tracks", dropAll)
		for _, position := range []int{0, 1, 4} {
			_, err := store.AddTrack(t.Context(), a.ID, repo.NewTrack{Name: "T"}, position)
			require.ErrorIs(t, err, repo.ErrRowsNotKept)
		}
		_, err := store.AddTrack(t.Context(), a.ID, repo.NewTrack{Name: "T"}, 5)
		require.ErrorIs(t, err, repo.ErrTrackPositionInvalid)
		read, err := store.GetAlbum(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, a, read)
	})
	t.Run("MoveTrackAndDeleteTrack", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		for name, body := range map[string]string{
			"all": dropAll, "the last": "IF OLD.display_order = 3 THEN RETURN NULL; END IF; RETURN NEW;",
		} {
			store := anew(t)
			a := newAlbum(t, store, "A", 3)
			trigger(t, store, "BEFORE UPDATE", "tracks", body)
			_, err := store.MoveTrack(t.Context(), a.Tracks[0].ID, 3)
			require.True(t, dbtxtest.IsAny(err, repo.ErrRowsNotKept, repo.ErrTrackPositionTaken), "%s: %v", name, err)
			_, err = store.MoveTrack(t.Context(), a.Tracks[0].ID, 4)
			require.ErrorIs(t, err, repo.ErrTrackPositionInvalid, name)
			_, err = store.DeleteTrack(t.Context(), a.Tracks[0].ID)
			require.ErrorIs(t, err, repo.ErrRowsNotKept, name)
			read, err := store.GetAlbum(t.Context(), a.ID)
			require.NoError(t, err)
			require.Equal(t, a, read, name)
		}
	})
	t.Run("CreateAccount", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		a := newAccount(t, store, "a@x")
		trigger(t, store, "BEFORE INSERT", "accounts", dropAll)
		_, err := store.CreateAccount(t.Context(), repo.NewAccount{Email: "b@x", PasswordHash: hash})
		require.ErrorIs(t, err, repo.ErrRowsNotKept)
		require.NotErrorIs(t, err, repo.ErrAccountIDTaken)
		_, err = store.CreateAccount(t.Context(), repo.NewAccount{ID: a.ID, Email: "b@x", PasswordHash: hash})
		require.ErrorIs(t, err, repo.ErrAccountIDTaken)
	})
	t.Run("RecordPurchase", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		p := repo.NewPurchase{AccountID: newAccount(t, store, "a@x").ID, AlbumID: newAlbum(t, store, "A", 0).ID, PaymentRef: "1"}
		trigger(t, store, "BEFORE INSERT", "purchases", dropAll)
		_, err := store.RecordPurchase(t.Context(), p)
		require.ErrorIs(t, err, repo.ErrRowsNotKept)
		require.NotErrorIs(t, err, repo.ErrPaymentRefTaken)
	})
	t.Run("CreatePasswordReset", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		a := newAccount(t, store, "a@x")
		trigger(t, store, "BEFORE INSERT", "password_resets", dropAll)
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.ErrorIs(t, err, repo.ErrRowsNotKept)
		require.Empty(t, token)
	})
	t.Run("SetPasswordHashAndRedeemPasswordReset", func(t *testing.T) { //nolint:paralleltest // the parts share a database
		store := anew(t)
		a := newAccount(t, store, "a@x")
		_, token, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
		require.NoError(t, err)
		trigger(t, store, "BEFORE UPDATE", "accounts", dropAll)
		require.ErrorIs(t, store.SetPasswordHash(t.Context(), a.ID, hash2), repo.ErrRowsNotKept)
		_, err = store.RedeemPasswordReset(t.Context(), token, hash2, from)
		require.ErrorIs(t, err, repo.ErrRowsNotKept)
		require.ErrorIs(t, store.SetPasswordHash(t.Context(), repo.NewID(), hash2), repo.ErrNotFound)
		_, err = store.DB().Exec(t.Context(), "DROP TRIGGER meddle ON accounts")
		require.NoError(t, err)
		redeemed, err := store.RedeemPasswordReset(t.Context(), token, hash2, from)
		require.NoError(t, err, "the token stayed good")
		require.Equal(t, hash2, redeemed.PasswordHash)
	})
}

func TestRepo_AWriteReturnsWhatATriggerMadeOfIt(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	store := dbtest.New(t)
	trigger(t, store, "BEFORE INSERT", "albums",
		"NEW.name = upper(NEW.name); NEW.url = 'x-' || NEW.url; NEW.year = 2000; NEW.price_cents = 7; NEW.image_url = 'i';"+
			" NEW.has_preview = true; NEW.is_published = false; RETURN NEW;")
	trigger(t, store, "BEFORE INSERT OR UPDATE", "tracks",
		"NEW.name = upper(NEW.name); NEW.length_seconds = 5; NEW.audio_url = 'a' || NEW.display_order; NEW.video_url = NULL;"+
			" IF TG_OP = 'INSERT' AND NEW.display_order < 4 THEN NEW.display_order = 4 - NEW.display_order; END IF; RETURN NEW;")
	trigger(t, store, "BEFORE INSERT", "accounts", "NEW.email = upper(NEW.email); RETURN NEW;")
	trigger(t, store, "BEFORE INSERT", "purchases", "NEW.amount_paid_cents = 7; RETURN NEW;")
	trigger(t, store, "BEFORE INSERT", "password_resets", "NEW.expires_at = NEW.created_at + interval '1 minute'; RETURN NEW;")

	of := album("a", 3)
	of.Tracks[1].VideoURL = new("v")
	made, err := store.CreateAlbum(t.Context(), of)
	require.NoError(t, err)
	read, err := store.GetAlbum(t.Context(), made.ID)
	require.NoError(t, err)
	require.Equal(t, read, made)
	require.Equal(t, "A", made.Name)
	require.Equal(t, []string{"A 3", "A 2", "A 1"}, names(made.Tracks))
	added, err := store.AddTrack(t.Context(), made.ID, repo.NewTrack{Name: "t"}, 0)
	require.NoError(t, err)
	stored, err := store.GetTrack(t.Context(), added.ID)
	require.NoError(t, err)
	require.Equal(t, stored, added)
	moved, err := store.MoveTrack(t.Context(), added.ID, 1)
	require.NoError(t, err)
	stored, err = store.GetTrack(t.Context(), added.ID)
	require.NoError(t, err)
	require.Equal(t, stored, moved)
	require.Equal(t, "a1", *moved.AudioURL)

	a := newAccount(t, store, "a@x")
	require.Equal(t, repo.Email("A@X"), a.Email)
	p, err := store.RecordPurchase(t.Context(), repo.NewPurchase{AccountID: a.ID, AlbumID: made.ID, PaymentRef: "1"})
	require.NoError(t, err)
	require.Equal(t, int64(7), p.AmountPaidCents)
	reset, _, err := store.CreatePasswordReset(t.Context(), repo.NewPasswordReset{AccountID: a.ID})
	require.NoError(t, err)
	require.Equal(t, time.Minute, reset.ExpiresAt.Sub(reset.CreatedAt))
}
