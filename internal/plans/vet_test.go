package plans_test

import (
	"os"
	"os/exec"
	"testing"

	"musicstore/internal/dbtest"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
)

func TestQueries_CanBePreparedAsSqlcVetSees(t *testing.T) {
	t.Parallel()
	url := dbtest.URL(t)
	out, err := vet(t, url)
	require.NoError(t, err, out)

	// The control: it looks at this database.
	db, err := pgxpool.New(t.Context(), url)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(t.Context(), "ALTER TABLE albums DROP COLUMN image_url")
	require.NoError(t, err)
	out, err = vet(t, url)
	require.Error(t, err)
	require.Contains(t, out, "UpdateAlbum: sqlc/db-prepare: error preparing query: ")
}

// vet runs `sqlc vet` with the rules of sqlc.yaml on a database.
func vet(t *testing.T, url string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "tool", "sqlc", "vet")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "MUSICSTORE_VET_URL="+url)
	out, err := cmd.CombinedOutput()

	return string(out), err
}
