package main

import (
	"reflect"
	"testing"
	"time"

	"musicstore/bench/generated/bobgen"
	"musicstore/bench/generated/boilgen"
	"musicstore/bench/generated/entgen"
	"musicstore/bench/peers"
	"musicstore/internal/repo"

	"github.com/stretchr/testify/require"
)

// The check that all peers return the same is worth what plain sees of their rows.
func TestPlain_SeesTheSameInEveryLibrarysRows(t *testing.T) {
	t.Parallel()
	want := map[string]any{"id": "7", "name": "First", "year": "1991", "tracks": []any{map[string]any{"name": "Intro"}}}
	boil := &boilgen.Album{ID: 7, Name: "First", Year: 1991}
	boil.R = boil.R.NewStruct()
	boil.R.Tracks = boilgen.TrackSlice{{Name: "Intro"}}
	bob := &bobgen.Album{ID: 7, Name: "First", Year: 1991}
	bob.R.Tracks = bobgen.TrackSlice{{Name: "Intro"}}
	for name, row := range map[string]any{
		"pgx":       peers.Album{ID: 7, Name: "First", Year: 1991, Tracks: []peers.Track{{Name: "Intro"}}},
		"SQLBoiler": boil,
		"Bob":       bob,
		"ent": &entgen.Album{
			ID: 7, Name: "First", Year: 1991, Edges: entgen.AlbumEdges{Tracks: []*entgen.Track{{Name: "Intro"}}},
		},
		"JSON": map[string]any{"id": 7., "name": "First", "year": 1991., "tracks": []any{map[string]any{"name": "Intro"}}},
	} {
		got, ok := plain(reflect.ValueOf(row)).(map[string]any)
		require.True(t, ok, name)
		for key, value := range want {
			if key == "tracks" {
				tracks, ok := got[key].([]any)
				require.True(t, ok, name)
				require.Len(t, tracks, 1, name)
				track, ok := tracks[0].(map[string]any)
				require.True(t, ok, name)
				require.Equal(t, "Intro", track["name"], name)

				continue
			}
			require.Equal(t, value, got[key], "%s: %s", name, key)
		}
	}
}

func TestPlain_SeesADifference(t *testing.T) {
	t.Parallel()
	at := time.Date(1991, time.May, 1, 12, 0, 0, 0, time.UTC)
	account := peers.Account{ID: "a", Email: "ada@example.com", CreatedAt: at}
	same, other := account, account
	same.CreatedAt = at.In(time.FixedZone("", 3600)) // the same instant
	other.Email = "eve@example.com"
	require.Equal(t, plain(reflect.ValueOf(account)), plain(reflect.ValueOf(&same)))
	require.NotEqual(t, plain(reflect.ValueOf(account)), plain(reflect.ValueOf(other)))
	drop := func() any { return without(plain(reflect.ValueOf(other)), []string{"email"}) }
	require.Equal(t, without(plain(reflect.ValueOf(account)), []string{"email"}), drop())
}

func TestPlain_SeesTheStoresSecrets(t *testing.T) {
	t.Parallel()
	require.Equal(t, plain(reflect.ValueOf(peers.Account{PasswordHash: "a"})), plain(reflect.ValueOf(struct {
		peers.Account

		PasswordHash repo.PasswordHash
	}{PasswordHash: repo.NewPasswordHash("a")})))
}

func TestQuartiles_LieBetweenTheNumbers(t *testing.T) {
	t.Parallel()
	q1, m, q3 := quartiles([]float64{5, 1, 4, 2, 3})
	require.Equal(t, []float64{2, 3, 4}, []float64{q1, m, q3})
}
