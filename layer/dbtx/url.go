package dbtx

import (
	"errors"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// What is wrong with a database URL, without the values that it has: one may be the password.

// badFiles are the beginnings of what pgconn says about files, which it has no types for, each with the setting that it is
// about and the reason. Where that is empty, the error has it.
var badFiles = []struct{ text, setting, reason string }{
	{"unable to read CA file", "sslrootcert", ""},
	{"unable to add CA to cert pool", "sslrootcert", "has no certificate in PEM format"},
	{"unable to load system certificate pool", "sslrootcert", "the system has no certificates"},
	{"unable to read sslkey", "sslkey", ""},
	{"failed to decode sslkey", "sslkey", "has no key in PEM format"},
	{"unable to find sslpassword", "sslpassword", "is missing: the key of sslkey is encrypted"},
	{"unable to decrypt key", "sslpassword", "does not decrypt the key of sslkey"},
	{"unable to read cert", "sslcert", ""},
	{"unable to load cert", "sslcert", "is no certificate of the key of sslkey, or one of the two is not in PEM format"},
	{"failed to read service file", "servicefile", "can't be read as a service file"},
	{"unable to find service", "service", "is not in the service file"},
	{`both "sslcert" and "sslkey" are required`, "sslcert", "needs sslkey, and sslkey needs sslcert"},
}

// badSetting matches what pgx and pgxpool say about the value of a setting. The setting's name comes before the value.
var badSetting = regexp.MustCompile("`: (?:invalid |unknown |cannot parse |failed to configure TLS \\()?" +
	`(sslmode|sslcertmode|connect_timeout|port|target_session_attrs|m(?:in|ax)_protocol_version|channel_binding|require_auth|` +
	`default_query_exec_mode|(?:statement|description)_cache_capacity|pool_[a-z_]+)\b`)

// badURL is the error of a URL that can't be read. It names the setting whose value or whose file can't be used, if it is one's.
func badURL(err error) error {
	invalid := &InvalidError{Op: "open", Field: "database URL", Reason: "can't be read: it must be like " +
		"postgres://user:password@host:port/database?setting=value, or key=value pairs, and the value of each setting must be allowed"}
	if m := badSetting.FindStringSubmatch(err.Error()); m != nil {
		invalid.Field, invalid.Reason = m[1], "has a value that is not allowed"
		if m[1] == "port" { // of a URL without a host, the password is taken for it
			invalid.Reason += ": a database URL is like postgres://user:password@host:port/database"
		}
	}
	for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
		for _, bad := range badFiles {
			if !strings.HasPrefix(cause.Error(), bad.text) {
				continue
			}
			invalid.Field, invalid.Reason = bad.setting, bad.reason
			if file, ok := errors.AsType[*fs.PathError](cause); ok {
				invalid.Reason = "its file " + strconv.Quote(file.Path) + " can't be read: " + file.Err.Error()
			}

			return invalid
		}
	}

	return invalid
}

// refusedSetting is the error of a setting that the server refuses when it is connected to; nil when err is another. The
// server's message has the setting's name in quotes, in every language, and may have its value, which is not shown.
func refusedSetting(params map[string]string, err error) error {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return nil
	}
	reasons := map[string]string{
		codeInvalidParameter: "the server refuses its value", codeUndefinedObject: "the server has no such setting",
		codeNoPrivilege: "the role may not set it",
	}
	reason := reasons[pg.Code]
	if reason == "" {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		if strings.Contains(strings.ToLower(pg.Message), strings.ToLower(strconv.Quote(name))) {
			return &InvalidError{Op: "open", Field: name, Reason: reason}
		}
	}
	for _, quoted := range quotedName.FindAllStringSubmatch(pg.Message, -1) {
		if given := strings.ReplaceAll(params["options"], "-", "_"); strings.Contains(given, quoted[1]+"=") {
			return &InvalidError{Op: "open", Field: quoted[1], Reason: reason}
		}
	}

	return nil
}
