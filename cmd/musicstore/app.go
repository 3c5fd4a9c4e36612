package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/layer/localpg"
)

// Exit statuses.
const (
	ok     = 0
	failed = 1
	misuse = 2
)

// app is what the commands share.
type app struct {
	in          io.Reader
	out, err    io.Writer
	databaseURL string
	echo        bool
	json        bool
	timeout     time.Duration
	patient     bool                    // the timeout is for a connection alone
	giveUp      context.CancelCauseFunc // ends the command
}

// run runs one command and returns its exit status.
func run(ctx context.Context, args []string, in io.Reader, stdout, stderr io.Writer) int {
	out, errs := &screen{w: stdout}, &screen{w: stderr}
	defer func() { _ = errs.end() }()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	a := &app{in: in, out: out, err: errs, giveUp: giveUp}
	started := false
	root := &cobra.Command{
		Use:   "musicstore",
		Short: "The data layer of a music store, from the command line",
		Long: "The data layer of a music store, from the command line.\n\n" +
			"--database-url, or the environment's DATABASE_URL, names the database. Without either, musicstore keeps a\n" +
			"private PostgreSQL in the cache folder, which runs while a command does.\n\n" +
			"Results are on standard output, everything else is on standard error; there are no colours. The exit status\n" +
			"is 0, 1 for a failure, and 2 for wrong usage.",
		Example: "  musicstore demo\n  musicstore init && musicstore import catalog.jsonl\n" +
			"  musicstore report sales --days 7 --tz Europe/Berlin\n  source <(musicstore completion bash)",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRun: func(*cobra.Command, []string) {
			started = true
		},
	}
	root.PersistentFlags().StringVar(&a.databaseURL, "database-url", os.Getenv("DATABASE_URL"),
		"the PostgreSQL database, as a URL or key=value `string` (default $DATABASE_URL)")
	root.PersistentFlags().Lookup("database-url").DefValue = "" // it may hold a password, and help prints it
	root.PersistentFlags().DurationVar(&a.timeout, "timeout", 30*time.Second,
		"how long to wait for a connection, or for the answer to one statement; 0 is for ever")
	root.PersistentFlags().BoolVar(&a.echo, "echo", false, "print the SQL on standard error")
	root.AddCommand(
		a.demoCommand(), a.initCommand(), a.checkCommand(), a.importCommand(), a.exportCommand(), a.reportCommand(),
		a.searchCommand(), a.graphCommand(), a.grantsCommand(), a.migrateCommand(),
	)
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)

	err := root.ExecuteContext(ctx)
	if unwritten := out.end(); unwritten != nil && err == nil {
		started, err = true, fmt.Errorf("standard output: %w", unwritten)
	}
	switch {
	case err == nil:
		return ok
	case !started: // cobra refused the words
		_, _ = fmt.Fprintf(errs, "musicstore: %v\nSee 'musicstore help'.\n", err)

		return misuse
	default:
		_, _ = fmt.Fprintf(errs, "musicstore: %v\n", hinted(err))

		return failed
	}
}

// jsonFlag gives a command the flag that print goes by.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON, for programs")
}

// print prints a result: as a line of JSON with --json, as a text otherwise.
func (a *app) print(result any, text string) error {
	if a.json {
		return writeJSON(a.out, result)
	}
	_, err := fmt.Fprintln(a.out, text)

	return err
}

// withStore runs fn with the store that the flags name.
func (a *app) withStore(ctx context.Context, fn func(*repo.Repo) error) (err error) {
	url := a.databaseURL
	if url == "" {
		server, failure := localpg.Keep(ctx, "store") // not err, which the deferred Stop is to reach
		if failure != nil {
			return failure
		}
		defer func() {
			err = errors.Join(err, within(ctx, server.Stop))
		}()
		_, _ = fmt.Fprintf(a.err, "No DATABASE_URL: using the private PostgreSQL in %s\n", server.Dir())
		url = server.URL("postgres")
	}
	var opts []repo.Option
	if a.echo {
		opts = append(opts, repo.WithEcho(a.err))
	}
	if a.timeout > 0 && !a.patient {
		opts = append(opts, repo.WithTracer(watchdog{a.timeout, a.giveUp}))
	}
	answered := a.watchConnecting()
	store, err := repo.Open(ctx, url, opts...)
	answered()
	if err != nil {
		return err
	}
	// The pool waits for connections that are in use, also for those on which nothing comes any more.
	defer leave(store.Close)
	if err := a.warn(ctx, store); err != nil {
		return err
	}
	err = within(ctx, func() error { return fn(store) })
	if cause := context.Cause(ctx); errors.Is(err, context.Canceled) && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w", err, cause)
	}

	return err
}

// warn prints what is dangerous in the database, once, on standard error. It returns an error for settings that no command
// can work with. Any other error is met by the command's own statements as well.
func (a *app) warn(ctx context.Context, store *repo.Repo) error {
	warnings, err := store.Warnings(ctx)
	if errors.Is(err, repo.ErrSettings) {
		return err
	}
	for _, warning := range warnings {
		_, _ = fmt.Fprintf(a.err, "musicstore: warning: %s\n", printable(warning))
	}

	return nil
}

// hinted adds what to do, where that is known.
func hinted(err error) error {
	const undefinedTable = "42P01"
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == undefinedTable {
		return fmt.Errorf("%w\nThe database has not all tables yet: 'musicstore init' creates them", err)
	}

	return err
}
