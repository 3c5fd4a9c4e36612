package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"musicstore/internal/dbtest"
	"musicstore/internal/repo"
)

func TestSample(t *testing.T) {
	t.Parallel()
	var all []repo.NewAlbum
	names, urls := map[string]bool{}, map[string]bool{}
	for line, next := range readCatalog(lines(string(sample))) {
		require.NoError(t, next.err, "line %d", line)
		require.Equal(t, len(all)+1, line, "no line is blank")
		a := next.album
		all = append(all, a)
		require.False(t, names[a.Name], a.Name)
		require.False(t, urls[a.URL], a.URL)
		names[a.Name], urls[a.URL] = true, true
		require.Equal(t, repo.AlbumURL(a.Name), a.URL, "the URL is the one that the name gives")
		require.True(t, 1950 <= a.Year && a.Year <= 2026, "%s is of %d", a.Name, a.Year)
		require.True(t, 100 <= a.PriceCents && a.PriceCents <= 10_000, "%s costs %d", a.Name, a.PriceCents)
		require.True(t, 5 <= len(a.Tracks) && len(a.Tracks) <= 30, "%s has %d tracks", a.Name, len(a.Tracks))
		for _, track := range a.Tracks {
			require.NotEmpty(t, track.Name)
			require.True(t, 10 <= track.LengthSeconds && track.LengthSeconds <= 1800, "%s, %s", a.Name, track.Name)
		}
	}
	require.Equal(t, sampleAlbums(t), all)
	require.Len(t, all, 10)
}

// A line that is too long is refused when so much of it has been read, however long it is.
func TestReadCatalog_RefusesALongLine(t *testing.T) {
	t.Parallel()
	dbtest.Full(t)
	long := strings.NewReader(blueTrain + "\n" + strings.Repeat(" ", longestLine+1<<20))
	last := 0
	for line, next := range readCatalog(long) {
		if last = line; line == 1 {
			require.NoError(t, next.err)

			continue
		}
		require.EqualError(t, next.err, "is longer than 33554432 bytes")
	}
	require.Equal(t, 2, last)
	require.Positive(t, long.Len())
}

// FuzzParseAlbum looks for a line that panics, and for one that is read as something else than what it is written as.
func FuzzParseAlbum(f *testing.F) {
	for _, line := range []string{
		``, `null`, `{}`, `[]`, `"`, `{"name":`, "\xff", "\ufeff{}", `{"name":"\u0000"}`, `{"a":{"b":[1e400]}}`,
		blueTrain, blueTrain + blueTrain,
		but(`"Blue Train"`, `"\ud800 <\u2028> \"x\" \\ 🎺"`),
		but(`"year"`, `"url":null,"has_preview":null,"is_published":true,"year"`),
		but(`1958`, `-0`), but(`999`, `9223372036854775807`), but(`999`, `1e2`),
		but(`430`, `430,"audio_url":"https://example.com/a?b=c&d","video_url":null`),
		but(`{"name":"Locomotion","length_seconds":430}`, ``), but(`[{"name":"Locomotion","length_seconds":430}]`, `[null]`),
		but(`"name":"Locomotion"`, `"name":"Locomotion","n\u0061me":"x"`),
	} {
		f.Add([]byte(line))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		album, err := parseAlbum(line)
		if err != nil {
			require.NotEmpty(t, err.Error())
			require.Less(t, len(err.Error()), 2000, "an error is to be read")

			return
		}
		text, err := json.Marshal(album)
		require.NoError(t, err)
		again, err := parseAlbum(text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, album, again)
	})
}
