package main

import (
	"bytes"
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
)

// sample is a small catalogue of real albums; CATALOG.md says where it is from.
//
//go:embed catalog.jsonl
var sample []byte

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show what the store does, on a sample catalogue",
		Long: "Show what the store does: create the tables, import a sample catalogue, create an account, reset its password,\n" +
			"buy albums and print a report. You can run it again on the same database.",
		Example: "  musicstore demo\n  musicstore demo --echo\n  musicstore demo --database-url postgres://localhost/shop",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.withStore(cmd.Context(), func(store *repo.Repo) error {
				return demo{ctx: cmd.Context(), store: store, out: a.out, kept: a.kept}.tell()
			})
		},
	}
}

// demo shows the store at work. It can run again on the same database: what exists stays, and each run has a customer of
// its own.
type demo struct {
	ctx   context.Context //nolint:containedctx // of one command
	store *repo.Repo
	out   io.Writer
	kept  string // the data folder of the private server, if that is used
}

func (d demo) tell() error {
	if err := d.openShop(); err != nil {
		return err
	}
	albums, err := d.showCatalog()
	if err != nil {
		return err
	}
	ada, err := d.signUp()
	if err != nil {
		return err
	}
	if err := d.forgetPassword(ada); err != nil {
		return err
	}
	if err := d.buy(ada, albums); err != nil {
		return err
	}
	if err := d.report(); err != nil {
		return err
	}
	d.sayf(`
What next?
  make run ARGS=--echo                          run this again and print every statement
  go run ./cmd/musicstore import FILE           import albums, in the form of cmd/musicstore/catalog.jsonl
  go run ./cmd/musicstore help                  see the other commands
  db/schema, db/queries, then make generate     add tables and queries
  README.md                                     use the store from Go`)
	if d.kept != "" {
		d.sayf("\nThe data is kept. To begin again with an empty database:\n  rm -rf %s", shellWord(d.kept))
	}

	return nil
}

// sayf prints a line. A name or an error in it stays on that line.
func (d demo) sayf(format string, args ...any) {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			args[i] = printable(v)
		case repo.Email:
			args[i] = printable(string(v))
		case error:
			args[i] = printable(v.Error())
		}
	}
	_, _ = fmt.Fprintf(d.out, format+"\n", args...)
}

// shellWord quotes a word for a shell, if it has a character that a shell does not take as it is.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}

	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

var plainWord = regexp.MustCompile(`^[\w/.+@=:-]+$`)

func (d demo) chapter(title string) {
	d.sayf("\n%s\n%s", title, strings.Repeat("─", len([]rune(title))))
}

func (d demo) openShop() error {
	d.chapter("1. The shop opens")
	created, err := schema.Bootstrap(d.ctx, d.store.DB())
	if err != nil {
		return err
	}
	if len(created) == 0 {
		d.sayf("The tables exist already, so Bootstrap changed nothing.")
		differences, err := schema.Check(d.ctx, d.store.DB())
		if err != nil {
			return err
		}
		if n := len(differences); n > 0 {
			d.sayf("But the database has %s from db/schema: run 'go run ./cmd/musicstore migrate'.", plural(n, "difference"))
		}
	} else {
		d.sayf("Bootstrap created %s.", strings.Join(created, ", "))
	}

	return nil
}

func (d demo) showCatalog() ([]repo.AlbumWithTracks, error) {
	d.chapter("2. The shelves fill")
	var n counts
	err := d.store.InTx(d.ctx, func(tx *repo.Repo) error {
		var err error
		n, err = importCatalog(d.ctx, tx, bytes.NewReader(sample), nil)

		return err
	})
	switch {
	case errors.Is(err, repo.ErrUnique):
		d.sayf("Some of these albums exist already, as after an earlier run. An import adds all or none, so this one added none.")
	case err != nil:
		return nil, err
	default:
		d.sayf("Imported %s in one transaction.", n)
	}
	albums, err := d.store.ListPublishedAlbums(d.ctx, repo.Page{})
	if err != nil {
		return nil, err
	}
	d.sayf("Here are the albums on sale, newest first. One album of the catalogue is not published, so it is not in the list.\n" +
		"Two statements read all albums and their tracks:\n")
	t := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	for _, a := range albums {
		var length time.Duration
		for _, track := range a.Tracks {
			length += time.Duration(track.LengthSeconds) * time.Second
		}
		_, _ = fmt.Fprintf(t, "  %d\t%s\t%s\t%s\t%s\n",
			a.Year, printable(a.Name), plural(len(a.Tracks), "track"), minutes(length), cents(a.PriceCents))
	}
	if err := t.Flush(); err != nil {
		return nil, err
	}
	if len(albums) > 0 {
		last := albums[len(albums)-1]
		d.sayf("\n  The tracks of %s:", last.Name)
		for _, track := range last.Tracks {
			d.sayf("    %2d. %s (%s)", track.DisplayOrder, track.Name,
				minutes(time.Duration(track.LengthSeconds)*time.Second))
		}
	}

	return albums, nil
}

func (d demo) signUp() (repo.Account, error) {
	d.chapter("3. A customer signs up")
	email := repo.Email("Ada." + repo.NewID()[:6] + "@Example.com")
	hash, err := hashed("correct horse battery staple")
	if err != nil {
		return repo.Account{}, err
	}
	ada, err := d.store.CreateAccount(d.ctx, repo.NewAccount{Email: email, PasswordHash: hash})
	if err != nil {
		return repo.Account{}, err
	}
	d.sayf("%s is account %s, created %s.", ada.Email, ada.ID, ada.CreatedAt.Format(time.RFC3339))
	d.sayf("Her password hash always prints as %v.", ada.PasswordHash)

	wide := strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'z' {
			return r + 'Ａ' - 'A'
		}

		return r
	}, string(email))
	_, err = d.store.CreateAccount(d.ctx, repo.NewAccount{Email: repo.Email(wide), PasswordHash: hash})
	switch {
	case err == nil:
		return repo.Account{}, &advisedError{fmt.Errorf("%s is the same address, and the database accepted it again", wide), runCheck}
	case !errors.Is(err, repo.ErrEmailTaken):
		return repo.Account{}, err
	}
	d.sayf("%s is the same address in full-width letters. The unique constraint refuses it: %v.", wide, err)

	return d.store.ConfirmEmail(d.ctx, ada.ID)
}

func (d demo) forgetPassword(ada repo.Account) error {
	d.chapter("4. She forgets her password")
	reset, token, err := d.store.CreatePasswordReset(d.ctx, repo.NewPasswordReset{AccountID: ada.ID})
	if err != nil {
		return err
	}
	d.sayf("A password reset is open until %s UTC. Its link has a token, of which the table keeps only a digest.",
		reset.ExpiresAt.Format(time.TimeOnly))
	hash, err := hashed("a better one this time")
	if err != nil {
		return err
	}
	from := netip.MustParseAddr("192.0.2.7")
	if _, err := d.store.RedeemPasswordReset(d.ctx, token, hash, from); err != nil {
		return err
	}
	d.sayf("She used it. One statement marked the reset as used and set the new password.")
	_, err = d.store.RedeemPasswordReset(d.ctx, token, hash, from)
	switch {
	case err == nil:
		return &advisedError{errors.New("the database accepted a reset token twice"), runCheck}
	case !errors.Is(err, repo.ErrResetInvalid):
		return err
	}
	d.sayf("She tried the same link again, and the store refused it: %v.", err)

	return nil
}

func (d demo) buy(ada repo.Account, albums []repo.AlbumWithTracks) error {
	d.chapter("5. She buys")
	for _, album := range albums[:min(2, len(albums))] {
		p := repo.NewPurchase{
			AccountID: ada.ID, AlbumID: album.ID, PaymentRef: "demo-" + repo.NewID(),
			Description: album.Name, AmountPaidCents: album.PriceCents,
		}
		first, err := d.store.RecordPurchase(d.ctx, p)
		if err != nil {
			return err
		}
		again, err := d.store.RecordPurchase(d.ctx, p)
		if err != nil {
			return err
		}
		if first.ID != again.ID {
			return &advisedError{fmt.Errorf("one payment created the purchases %d and %d", first.ID, again.ID), runCheck}
		}
		d.sayf("She bought %s. The payment provider reported it twice, and it is still one purchase.", album.Name)
	}
	d.sayf("\nHer purchases, newest first:\n")
	t := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	for p, err := range d.store.AllPurchases(d.ctx, ada.ID) {
		if err != nil {
			return err
		}
		_, _ = fmt.Fprintf(t, "  %s\t%s\t%s\n", p.CreatedAt.Format(time.RFC3339), printable(p.Description), cents(p.AmountPaidCents))
	}

	return t.Flush()
}

func (d demo) report() error {
	d.chapter("6. The week in numbers")
	days, err := d.store.DailyNewAccounts(d.ctx, repo.Days{Last: 7})
	if err != nil {
		return err
	}
	sales, err := d.store.DailySales(d.ctx, repo.Days{Last: 7})
	if err != nil {
		return err
	}
	d.sayf("The table counts all accounts and purchases of the database, those of earlier runs too:\n")
	t := tabwriter.NewWriter(d.out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "  day (UTC)\tnew accounts\tpurchases\tsales")
	for i, day := range days {
		_, _ = fmt.Fprintf(t, "  %s\t%d\t%d\t%s\n",
			day.Day.Format(time.DateOnly), day.Accounts, sales[i].Purchases, cents(sales[i].AmountPaidCents))
	}

	return t.Flush()
}

func minutes(d time.Duration) string { return fmt.Sprintf("%d:%02d", d/time.Minute, d/time.Second%60) }

func cents(n int64) string {
	sign := ""
	if n < 0 { // a database without our checks may have it
		sign = "-"
	}
	text := strings.TrimPrefix(fmt.Sprintf("%04d", n), "-")
	if n >= 0 {
		text = fmt.Sprintf("%03d", n)
	}

	return sign + text[:len(text)-2] + "." + text[len(text)-2:]
}

// iterations is the number that OWASP asks for. Tests of other things take fewer.
var iterations = 220_000

// hashed returns the hash of a password as a PHC string, by PBKDF2-HMAC-SHA512, because it is in Go's standard
// library. OWASP's first choice is Argon2id.
// https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html
func hashed(password string) (repo.PasswordHash, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return repo.PasswordHash{}, err
	}
	key, err := pbkdf2.Key(sha512.New, password, salt, iterations, sha512.Size)
	if err != nil {
		return repo.PasswordHash{}, err
	}
	b64 := base64.RawStdEncoding.EncodeToString

	return repo.NewPasswordHash(fmt.Sprintf("$pbkdf2-sha512$i=%d$%s$%s", iterations, b64(salt), b64(key))), nil
}
