package dbtx_test

import (
	"testing"

	"musicstore/layer/dbtx"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"musicstore/layer/internal/testdb/dbtest"
)

// PostgreSQL names the constraints and indexes of a partition after the partition. The error is that of the whole table all the same.
func TestConstraints_OfAPartitionAreThoseOfItsTable(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), dbtest.EmptyURL(t))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), `
		CREATE TABLE visits (
			day date NOT NULL, id integer, ticket integer, seat int4range, note text NOT NULL,
			CONSTRAINT visits_pkey PRIMARY KEY (day, id),
			CONSTRAINT one_ticket UNIQUE (day, ticket),
			CONSTRAINT visits_note_check CHECK (note <> '')
		) PARTITION BY RANGE (day);
		CREATE UNIQUE INDEX one_note ON visits (day, note);
		CREATE TABLE spring PARTITION OF visits FOR VALUES FROM ('2026-03-01') TO ('2026-06-01');
		CREATE TABLE visits_summer PARTITION OF visits FOR VALUES FROM ('2026-06-01') TO ('2026-09-01'); -- no file has it
		CREATE TABLE audits (id integer CONSTRAINT audits_pkey PRIMARY KEY);
		INSERT INTO visits VALUES ('2026-03-01', 1, 1, NULL, 'a'), ('2026-06-01', 1, 1, NULL, 'a');
		INSERT INTO audits VALUES (1)`)
	require.NoError(t, err)
	visits := &dbtx.Table{Name: "visits", Partitioned: true, Partitions: []string{"spring"}, Constraints: []dbtx.Constraint{
		{Name: "visits_pkey", Kind: dbtx.PrimaryKey, Columns: []string{"day", "id"}, Words: "visit is there"},
		{Name: "one_ticket", Kind: dbtx.Unique, Columns: []string{"day", "ticket"}, Words: "ticket is used"},
		{Name: "one_note", Kind: dbtx.Unique, Columns: []string{"day", "note"}, Words: "note is there"},
		{Name: "visits_note_check", Kind: dbtx.Check, Columns: []string{"note"}, Words: "note is empty"},
		{Name: "visits_note_not_null", Kind: dbtx.NotNull, Columns: []string{"note"}, Words: "note is missing"},
	}}
	store := dbtx.New(conn, dbtx.SQL{Metadata: &dbtx.Metadata{Tables: []*dbtx.Table{visits}}})
	for values, words := range map[string]string{
		"1, 2, NULL, 'b'":  "visit is there",
		"2, 1, NULL, 'b'":  "ticket is used",
		"2, 2, NULL, 'a'":  "note is there",
		"2, 2, NULL, ''":   "note is empty",
		"2, 2, NULL, NULL": "note is missing",
	} {
		for _, day := range []string{"2026-03-01", "2026-06-01"} {
			_, err := store.DBTX().Exec(t.Context(), "INSERT INTO visits VALUES ('"+day+"', "+values+")")
			var refused *dbtx.ConstraintError
			require.ErrorAs(t, err, &refused, "%s %s", day, values)
			require.Equal(t, "visits", refused.Table)
			require.ErrorContains(t, err, words)
		}
	}

	// The control: a table that is no partition keeps its name.
	_, err = store.DBTX().Exec(t.Context(), "INSERT INTO audits VALUES (1)")
	var refused *dbtx.ConstraintError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "audits", refused.Table)
	require.Equal(t, "audits_pkey", refused.Constraint)
}
