package dbtest

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/peterldowns/pgtestdb"
)

// ofTheTest are the settings of DATABASE_URL that a test's own URL says in its own way, under all their names.
var ofTheTest = []string{"user", "password", "passfile", "dbname", "database", "host", "port"}

// testConfig returns the server of DATABASE_URL in the form that pgtestdb takes, whatever form DATABASE_URL has. Its user
// and password are the administrator's. They are not among its options, which the test's role gets as well: the tables of
// a template would belong to the administrator, and the test's role would be refused.
func testConfig(base string, config *pgx.ConnConfig) (pgtestdb.Config, error) {
	options, err := settings(base)
	if err != nil {
		return pgtestdb.Config{}, err
	}
	for _, key := range ofTheTest {
		options.Del(key)
	}
	options.Set("timezone", timeZone)

	// pgtestdb puts them into a URL as they are.
	user, password, _ := strings.Cut(url.UserPassword(config.User, config.Password).String(), ":")
	conf := pgtestdb.Config{DriverName: "pgx", User: user, Password: password, Database: url.PathEscape(config.Database)}

	hosts, ports := []string{config.Host}, []string{strconv.Itoa(int(config.Port))}
	for _, next := range config.Fallbacks { // another host, or the same with other TLS
		port := strconv.Itoa(int(next.Port))
		if last := len(hosts) - 1; next.Host != hosts[last] || port != ports[last] {
			hosts, ports = append(hosts, next.Host), append(ports, port)
		}
	}
	if len(hosts) == 1 && plainHost(hosts[0]) {
		conf.Host, conf.Port = hosts[0], ports[0]
	} else { // a folder with a socket, an IPv6 address, or several
		options.Set("host", strings.Join(hosts, ","))
		options.Set("port", strings.Join(ports, ","))
	}
	conf.Options = strings.ReplaceAll(options.Encode(), "+", "%20") // which is what pgx reads as a space

	return conf, nil
}

func plainHost(host string) bool {
	return strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == ""
}

// settings returns what DATABASE_URL says by key and value: the query of a URL, or all pairs of a key=value string.
func settings(base string) (url.Values, error) {
	for _, scheme := range []string{"postgres://", "postgresql://"} {
		if rest, ok := strings.CutPrefix(base, scheme); ok {
			return query(rest)
		}
	}

	return pairs(base)
}

func query(rest string) (url.Values, error) {
	if at := strings.IndexAny(rest, "@/"); at >= 0 { // a password may have a question mark
		rest = rest[at:]
	}
	_, text, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(strings.ReplaceAll(text, "+", "%2B")) // in a connection URL it is no space
	if err != nil {
		return nil, errDatabaseURL
	}
	for key, all := range values { // the last one counts
		values[key] = all[len(all)-1:]
	}

	return values, nil
}

// pairs reads a key=value string as libpq does.
// https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE
func pairs(text string) (url.Values, error) {
	const space = " \t\n\r\v\f"
	values := url.Values{}
	for text = strings.TrimLeft(text, space); text != ""; text = strings.TrimLeft(text, space) {
		key, rest, found := strings.Cut(text, "=")
		if !found {
			return nil, errDatabaseURL
		}
		rest = strings.TrimLeft(rest, space)
		end := space
		if quoted, ok := strings.CutPrefix(rest, "'"); ok {
			rest, end = quoted, "'"
		}
		var value []byte
		at := 0
		for ; at < len(rest) && !strings.ContainsRune(end, rune(rest[at])); at++ {
			if rest[at] == '\\' {
				at++
			}
			if at < len(rest) {
				value = append(value, rest[at])
			}
		}
		if at >= len(rest) && end == "'" {
			return nil, errDatabaseURL
		}
		values.Set(strings.Trim(key, space), string(value))
		text = rest[min(len(rest), at+1):]
	}

	return values, nil
}
