package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

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
	kept        string // the data folder of the private server, if that is used
	echo        bool
	json        bool
	timeout     time.Duration
	patient     bool                    // the timeout is for a connection alone
	giveUp      context.CancelCauseFunc // ends the command
	started     bool                    // the words were accepted, and a command runs
}

// run runs one command and returns its exit status.
func run(ctx context.Context, args []string, in io.Reader, stdout, stderr io.Writer) int {
	out, errs := &screen{w: stdout}, &screen{w: stderr}
	defer func() { _ = errs.end() }()
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	a := &app{in: in, out: out, err: errs, giveUp: giveUp}
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errs)
	refuseUnknownWords(root)

	cmd, err := root.ExecuteContextC(ctx)
	if unwritten := out.end(); unwritten != nil && (err == nil || errors.Is(err, unwritten)) {
		if err == nil { // who wrote it ignored the error
			err = fmt.Errorf("standard output: %w", unwritten)
		}
		a.started, err = true, &advisedError{err, nextOfLostOutput(cmd.Name())}
	}
	switch {
	case err == nil:
		return ok
	case !a.started: // cobra refused the words
		help := "musicstore help" + strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "musicstore"), " help")
		_, _ = fmt.Fprintf(errs, "musicstore: %s\nSee '%s'.\n", strings.TrimSpace(err.Error()), help)

		return misuse
	default:
		_, _ = fmt.Fprintf(errs, "musicstore: %v\n", err)
		if next := nextStep(cmd.Name(), err); next != "" {
			_, _ = fmt.Fprintln(errs, next)
		}

		return failed
	}
}

// rootCommand returns the command that has all others, in groups.
func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "musicstore",
		Short: "Create and use the database of a music store",
		Long: "Create and use the database of a music store.\n\n" +
			"--database-url names the database. Its default is the environment variable DATABASE_URL. Without either,\n" +
			"musicstore uses a private PostgreSQL server, which runs only while a command runs. Its data is in the cache\n" +
			"folder.\n\n" +
			"Results go to standard output. Everything else goes to standard error. There are no colours. The exit status\n" +
			"is 0 for success, 1 for a failure and 2 for wrong usage.",
		Example: "  musicstore demo\n  musicstore init && musicstore import catalog.jsonl\n" +
			"  musicstore report sales --days 7 --tz Europe/Berlin\n  source <(musicstore completion bash)",
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.timeout < 0 {
				return fmt.Errorf("--timeout %v: must be 0 or more", a.timeout)
			}
			a.started = true

			return nil
		},
	}
	root.PersistentFlags().StringVar(&a.databaseURL, "database-url", os.Getenv("DATABASE_URL"),
		"the PostgreSQL database, as a URL or a key=value `string` (default $DATABASE_URL)")
	root.PersistentFlags().Lookup("database-url").DefValue = "" // it may hold a password, and help prints it
	root.PersistentFlags().DurationVar(&a.timeout, "timeout", 30*time.Second,
		"the time limit for a connection and for each statement (0 means no limit)")
	root.PersistentFlags().BoolVar(&a.echo, "echo", false, "print the SQL to standard error")
	root.SetFlagErrorFunc(badFlag)
	for _, group := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"start", "Start:", []*cobra.Command{a.demoCommand(), a.initCommand()}},
		{"data", "Data:", []*cobra.Command{a.importCommand(), a.exportCommand(), a.searchCommand()}},
		{"schema", "Schema:", []*cobra.Command{a.checkCommand(), a.migrateCommand(), a.grantsCommand(), a.graphCommand()}},
		{"reports", "Reports:", []*cobra.Command{a.reportCommand(), a.explainCommand(), a.slowCommand()}},
		{"other", "Other:", nil}, // completion and help are cobra's
	} {
		root.AddGroup(&cobra.Group{ID: group.id, Title: group.title})
		for _, cmd := range group.commands {
			cmd.GroupID = group.id
			root.AddCommand(cmd)
		}
	}
	root.SetCompletionCommandGroupID("other")
	root.SetHelpCommandGroupID("other")

	return root
}

// jsonFlag gives a command the flag that print goes by.
func (a *app) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.json, "json", false, "print JSON")
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
		switch {
		case errors.Is(failure, localpg.ErrNotInstalled), errors.Is(failure, localpg.ErrInUse): // which have their own advice
			return failure
		case failure != nil:
			return &advisedError{failure, useOtherServer}
		}
		defer func() {
			err = errors.Join(err, within(ctx, server.Stop))
		}()
		_, _ = fmt.Fprintf(a.err, "No DATABASE_URL: using a private PostgreSQL %s, data in %s\n", server.Version(), server.Dir())
		a.kept = server.Dir()
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
		return &advisedError{err, nextStep(opening, err)}
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
