// Package settings makes sure that SQL text means in a session what it says.
//
// Settings, the encoding of the database, and the functions and operators of other roles can give the same text another
// meaning. Each of them is set when connecting, set for one transaction, or refused with an error that says what to do.
package settings

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrSettings is what every *SettingError is.
var ErrSettings = errors.New("a setting of the session gives SQL another meaning")

// SettingError is a setting with which SQL would mean something else. Nothing was sent. It is ErrSettings.
type SettingError struct {
	Setting string // the setting's name, "client_encoding"
	Have    string // its value in the session
	Want    string // the value that it must have
}

func (e *SettingError) Error() string {
	if e.Setting == serverEncoding {
		return fmt.Sprintf("the encoding of the database is %s and must be %s: CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0",
			e.Have, e.Want)
	}

	if e.Setting == replicationRole {
		return fmt.Sprintf("%s is %s in this session, which turns foreign keys and triggers off, and must be %s: "+
			"ALTER DATABASE … RESET %[1]s, ALTER ROLE … RESET %[1]s, or take it out of the URL", e.Setting, e.Have, e.Want)
	}

	return fmt.Sprintf("%s is %s in this session and must be %s: set it when connecting", e.Setting, e.Have, e.Want)
}

// Is reports whether target is ErrSettings.
func (*SettingError) Is(target error) bool { return target == ErrSettings }

// The settings that the server reports whenever they change.
// https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-ASYNC
const (
	serverEncoding  = "server_encoding"
	clientEncoding  = "client_encoding"
	conforming      = "standard_conforming_strings"
	dateStyle       = "DateStyle"
	timeZone        = "TimeZone"
	superuserStatus = "is_superuser"
)

// replicationRole is a setting that the server does not report. With the value "replica" it enforces no foreign key and
// runs no ordinary trigger, and says nothing. A superuser can give it to a role or a database.
// https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-SESSION-REPLICATION-ROLE
const replicationRole = "session_replication_role"

// CheckRole returns a *SettingError when this value of session_replication_role does not enforce foreign keys. The empty
// one is of an engine that does not have the setting, and no error.
func CheckRole(have string) error {
	if have == "replica" {
		return &SettingError{replicationRole, have, "origin"}
	}

	return nil
}

// Check returns a *SettingError when the settings that the server last reported for conn give text another meaning. It
// asks the server nothing. An engine that does not report a setting is taken to have no other.
func Check(conn *pgconn.PgConn) error {
	if have := conn.ParameterStatus(clientEncoding); have != "UTF8" && have != "" {
		return &SettingError{clientEncoding, have, "UTF8"}
	}
	if have := conn.ParameterStatus(conforming); have != "on" && have != "" {
		return &SettingError{conforming, have, "on"}
	}

	return CheckDatabase(conn)
}

// CheckDatabase returns a *SettingError when the database of conn does not store text as UTF8: it has no place for most
// characters, or it stores bytes that it does not understand.
func CheckDatabase(conn *pgconn.PgConn) error {
	return CheckEncoding(conn.ParameterStatus(serverEncoding))
}

// CheckEncoding is CheckDatabase for the value of server_encoding. The empty one is not known, and no error.
func CheckEncoding(have string) error {
	if have != "UTF8" && have != "" {
		return &SettingError{serverEncoding, have, "UTF8"}
	}

	return nil
}

// Fixed says whether a setting, whose name is in any case, has to stay as it is when a session has begun.
func Fixed(name string) bool {
	for _, fixed := range []string{clientEncoding, conforming, dateStyle, replicationRole} {
		if strings.EqualFold(name, fixed) {
			return true
		}
	}

	return false
}

// MayBeSuperuser says whether the session has the rights of a superuser, or does not report it.
func MayBeSuperuser(conn *pgconn.PgConn) bool { return conn.ParameterStatus(superuserStatus) != "off" }

// Configure makes every connection of config start with the settings that give text its meaning. They are start-up
// parameters, which win over ALTER DATABASE, ALTER ROLE and the parameter options. It uses the four that PgBouncer takes.
// A time zone that config has stays, because no query of ours depends on it; otherwise it is UTC.
//
// It returns a *SettingError, and changes nothing, when config asks for another value.
// https://www.pgbouncer.org/config.html#ignore_startup_parameters
func Configure(config *pgx.ConnConfig) error {
	params := config.RuntimeParams
	if params == nil {
		params = map[string]string{}
	}
	kept := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value := params[name]
		switch strings.ToLower(name) { // as the server reads them
		case "client_encoding":
			if plain := strings.NewReplacer("-", "", "_", "").Replace(strings.ToUpper(value)); plain != "UTF8" && plain != "UNICODE" {
				return &SettingError{clientEncoding, value, "UTF8"}
			}
		case conforming:
			if !slices.Contains([]string{"on", "true", "yes", "1", "t", "y"}, strings.ToLower(value)) {
				return &SettingError{conforming, value, "on"}
			}
		case "datestyle":
			if !strings.HasPrefix(strings.ToUpper(value), "ISO") {
				return &SettingError{dateStyle, value, "ISO"}
			}
			kept[dateStyle] = value
		case "timezone":
			kept[timeZone] = value
		default:
			kept[name] = value
		}
	}
	kept[clientEncoding], kept[conforming] = "UTF8", "on"
	for name, value := range map[string]string{dateStyle: "ISO, MDY", timeZone: "UTC"} {
		if kept[name] == "" {
			kept[name] = value
		}
	}
	config.RuntimeParams = kept

	return nil
}
