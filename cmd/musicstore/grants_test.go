package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
)

// That these are the grants that the store needs, neither more nor less, TestGrants of repo shows.
func TestGrants(t *testing.T) {
	t.Parallel()

	t.Run("PrintsStatementsForARole", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "grants", "shop")
		require.Equal(t, ok, got.status)
		require.Empty(t, got.err)
		require.True(t, strings.HasPrefix(got.out, `GRANT USAGE ON SCHEMA "public" TO "shop";`+"\n"))
		require.Contains(t, got.out, `, UPDATE ("payment_ref") ON TABLE "public"."purchases" TO "shop";`+"\n")
		require.Contains(t, got.out, `GRANT USAGE ON SEQUENCE "public"."albums_id_seq" TO "shop";`+"\n")
		require.Equal(t, 1+len(dbtest.Tables()), strings.Count(got.out, "\n")-strings.Count(got.out, " ON SEQUENCE "))
	})
	t.Run("RefusesANameThatIsMoreThanARole", func(t *testing.T) {
		t.Parallel()
		for name, words := range map[string][]string{
			"public": {"grants", "public"}, "a session's": {"grants", "current_user"}, "none": {"grants", ""},
			"PostgreSQL's": {"grants", "pg_read_all_data"}, "no schema": {"grants", "shop", "--schema", ""},
		} {
			got := musicstore(t, words...)
			require.Equal(t, misuse, got.status, name)
			require.Empty(t, got.out, name)
			require.Contains(t, got.err, "musicstore: grants: ", name)
		}
	})
	t.Run("QuotesTheNames", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "grants", `shop"; DROP ROLE x; --`, "--schema", `my "music"`)
		require.Equal(t, ok, got.status)
		require.Contains(t, got.out, `GRANT USAGE ON SCHEMA "my ""music""" TO "shop""; DROP ROLE x; --";`+"\n")
	})
	t.Run("AsksNoDatabase", func(t *testing.T) {
		t.Parallel()
		got := musicstore(t, "grants", "shop", "--database-url", "postgres://127.0.0.1:1/x")
		require.Equal(t, ok, got.status)
		require.Empty(t, got.err)
	})
}
