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
		require.Contains(t, got.out, `GRANT USAGE ON SCHEMA "public" TO "shop";
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."accounts" TO "shop";
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."albums" TO "shop";
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."tracks" TO "shop";
GRANT SELECT, INSERT, UPDATE ON TABLE "public"."purchases" TO "shop";
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE "public"."password_resets" TO "shop";
`)
		require.Equal(t, 1+len(dbtest.Tables()), strings.Count(got.out, "\n"))
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
