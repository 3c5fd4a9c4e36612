package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/schema"
)

// What Check finds, TestCheck of schema shows.
func TestCheck(t *testing.T) {
	t.Parallel()
	const noDifference = "-- no difference: the database matches db/schema\n"

	t.Run("SaysThatNothingDiffers", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		require.Equal(t, result{ok, noDifference, ""}, musicstore(t, "check", "--database-url", url))
		require.Equal(t, result{ok, "[]\n", ""}, musicstore(t, "check", "--json", "--database-url", url))
	})
	t.Run("PrintsSQLThatMendsWhatLosesNothing", func(t *testing.T) {
		t.Parallel()
		url := dbtest.URL(t)
		db := open(t, url).DB()
		for _, sql := range []string{
			"DROP INDEX purchases_album_id_idx", "ALTER TABLE albums ADD COLUMN \"one\nDROP TABLE tracks;\" bigint, ADD COLUMN mine text",
		} {
			_, err := db.Exec(t.Context(), sql)
			require.NoError(t, err)
		}
		got := musicstore(t, "check", "--database-url", url)
		require.Equal(t, result{failed, `-- index purchases.purchases_album_id_idx is missing: CREATE INDEX ON purchases USING btree (album_id)
CREATE INDEX CONCURRENTLY "purchases_album_id_idx" ON purchases USING btree (album_id);

-- column albums.one
-- DROP TABLE tracks; is extra: bigint
-- loses data: ALTER TABLE "albums" DROP COLUMN "one
-- DROP TABLE tracks;";

-- column albums.mine is extra: text
-- loses data: ALTER TABLE "albums" DROP COLUMN "mine";

`, "musicstore: check: 3 differences from db/schema\n" + runPlan + "\n"}, got)

		// psql sends statement by statement; here they are one transaction.
		_, err := db.Exec(t.Context(), strings.ReplaceAll(got.out, " CONCURRENTLY", ""), pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		got = musicstore(t, "check", "--json", "--database-url", url)
		require.Equal(t, failed, got.status)
		require.Equal(t, "musicstore: check: 2 differences from db/schema\n"+runPlan+"\n", got.err)
		var differences []schema.Difference
		require.NoError(t, json.Unmarshal([]byte(got.out), &differences))
		require.Len(t, differences[1].Steps, 1)
		require.Equal(t, schema.Difference{
			Steps: differences[1].Steps, Kind: "column", Table: "albums", Name: "mine", Have: "text",
			Mend: `ALTER TABLE "albums" DROP COLUMN "mine";`, LosesData: true,
		}, differences[1])
		for _, d := range differences {
			_, err := db.Exec(t.Context(), d.Mend)
			require.NoError(t, err)
		}
		require.Equal(t, result{ok, noDifference, ""}, musicstore(t, "check", "--database-url", url))
	})
	t.Run("PrintsTheWholeSchemaForAnEmptyDatabase", func(t *testing.T) {
		t.Parallel()
		dbtest.Full(t)
		url := dbtest.EmptyURL(t)
		got := musicstore(t, "check", "--database-url", url)
		require.Equal(t, failed, got.status)
		require.Equal(t, fmt.Sprintf("musicstore: check: %d differences from db/schema\n%s\n", len(dbtest.Created()), runPlan), got.err)
		_, err := open(t, url).DB().Exec(t.Context(), got.out, pgx.QueryExecModeSimpleProtocol)
		require.NoError(t, err)
		require.Equal(t, result{ok, noDifference, ""}, musicstore(t, "check", "--database-url", url))
	})
	t.Run("SaysWhatItNeeds", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "check", "--database-url", dbtest.URL(t)+"&default_transaction_read_only=on")
		require.Equal(t, result{failed, "", "musicstore: check: can't make temporary tables: " +
			"the server is a standby, or the session reads only: ask the primary\n"}, got)
	})
}
