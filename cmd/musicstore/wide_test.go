package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// requireAligned requires that the last column, which has one of these texts in each line, ends at the same column of the
// terminal in all lines.
func requireAligned(t *testing.T, table string, texts ...string) {
	t.Helper()
	require.Len(t, ends(table, texts...), 1, table)
}

// ends returns the columns of the terminal at which these texts end, each once.
func ends(table string, texts ...string) map[int]bool {
	at := map[int]bool{}
	for line := range strings.Lines(table) {
		for _, text := range texts {
			if before, _, found := strings.Cut(line, text); found {
				at[columnsOf(before+text)] = true
			}
		}
	}

	return at
}

func TestTable_WideCharactersFitTheTerminal(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("東京の夜", 6)
	for _, columns := range []int{30, 31, 40, 80} {
		var out bytes.Buffer
		rows := table{{"album", "paid"}, {name, "9.99"}, {"Cafe\u0301", "9.99"}}
		require.NoError(t, rows.print(&out, columns, []int64{0, 1, 1}))
		requireAligned(t, out.String(), "paid", "9.99")
		for line := range strings.Lines(out.String()) {
			require.LessOrEqual(t, columnsOf(strings.TrimSuffix(line, "\n")), columns, line)
		}
	}
	// The control: what counts characters, as fmt does, puts the second column at another place in each line.
	naive := fmt.Sprintf("%-30s %5s\n%-30s %5s\n%-30s %5s\n", "album", "paid", name, "9.99", "Cafe\u0301", "9.99")
	require.Len(t, ends(naive, "paid", "9.99"), 3)
	require.Equal(t, 48, columnsOf(name))
	require.Equal(t, 24, utf8.RuneCountInString(name), "the control: characters are not columns")
	require.Equal(t, len("東京"), fit("東京の", 5), "half of a wide character does not fit")
}
