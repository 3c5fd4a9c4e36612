package main

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestTable_WideCharactersFitTheTerminal(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("東京の夜", 6)
	for _, columns := range []int{30, 31, 40, 80} {
		var out bytes.Buffer
		rows := table{{"album", "paid"}, {name, "9.99"}, {"Cafe\u0301", "9.99"}}
		require.NoError(t, rows.print(&out, columns, []int64{0, 1, 1}))
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, columnsOf(strings.TrimSuffix(line, "\n")), columns, line)
		}
	}
	require.Equal(t, 48, columnsOf(name))
	require.Equal(t, 24, utf8.RuneCountInString(name), "the control: characters are not columns")
	require.Equal(t, len("東京"), fit("東京の", 5), "half of a wide character does not fit")
}
