package main

import (
	"context"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// columns are the fields that are compared, without underscores and in lower case.
var columns = func() map[string]bool {
	known := map[string]bool{}
	for name := range strings.FieldsSeq(`id email email_key password_hash created_at email_confirmed is_super_user name url
		year price_cents image_url has_preview is_published album_id length_seconds audio_url video_url display_order
		account_id token_hash expires_at used_at used_ip payment_ref description amount_paid_cents day accounts tracks`) {
		known[strings.ReplaceAll(name, "_", "")] = true
	}

	return known
}()

// same fails when a peer's result, or what it stored, is not that of the first peer asked.
func (b *bench) same(ctx context.Context, op *operation) error {
	input, err := op.prepare(ctx, b, 1)
	if err != nil {
		return err
	}
	var want string
	for i, c := range b.contenders {
		if op.again != nil {
			if err := op.again(ctx, b, input); err != nil {
				return err
			}
		}
		result, err := c.check(ctx, op, input[0])
		if err != nil {
			return fmt.Errorf("%s: %s: %w", op.key, c.name(), err)
		}
		parts := []any{without(plain(reflect.ValueOf(result)), op.made)}
		if op.stored != "" {
			rows, err := b.db.Query(ctx, op.stored, op.storedArg(input[0]))
			if err != nil {
				return err
			}
			for rows.Next() {
				var row any
				if err := rows.Scan(&row); err != nil {
					return err
				}
				parts = append(parts, row)
			}
			if err := rows.Err(); err != nil {
				return err
			}
			if len(parts) == 1 {
				return fmt.Errorf("%s: %s stored nothing", op.key, c.name())
			}
		}
		text, err := json.Marshal(parts)
		if err != nil {
			return err
		}
		if i == 0 {
			want = string(text)
		}
		if string(text) != want {
			return fmt.Errorf("%s: %s has\n%.600s\nand %s\n%.600s", op.key, c.name(), text, b.contenders[0].name(), want)
		}
		if op.undo != "" {
			if _, err := b.db.Exec(ctx, op.undo, op.storedArg(input[0])); err != nil {
				return err
			}
		}
	}

	return nil
}

// plain makes maps, slices and simple values of whatever a library's rows are.
func plain(v reflect.Value) any {
	if !v.IsValid() {
		return nil
	}
	if v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return nil
		}

		return plain(v.Elem())
	}
	switch x := v.Interface().(type) {
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case interface{ Reveal() string }: // a secret of the store's
		return x.Reveal()
	case []byte:
		return hex.EncodeToString(x)
	case driver.Valuer:
		value, err := x.Value()
		if err != nil {
			return err.Error()
		}
		if _, again := value.(driver.Valuer); !again {
			return plain(reflect.ValueOf(value))
		}
	}
	switch v.Kind() {
	case reflect.String:
		s := v.String()
		if t, err := time.Parse(time.RFC3339Nano, s); err == nil { // a time that came as JSON
			return t.UTC().Format(time.RFC3339Nano)
		}

		return s
	case reflect.Slice, reflect.Array:
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i))
		}

		return list
	case reflect.Map:
		row := map[string]any{}
		for _, key := range v.MapKeys() {
			row[strings.ReplaceAll(key.String(), "_", "")] = plain(v.MapIndex(key))
		}

		return row
	case reflect.Struct:
		row := map[string]any{}
		addFields(row, v)

		return row
	case reflect.Bool:
		return v.Bool()
	default:
		return fmt.Sprint(v.Interface())
	}
}

// addFields adds the columns of a struct, also those of embedded ones, and the tracks that some libraries keep in a
// field R or Edges.
func addFields(row map[string]any, v reflect.Value) {
	for i := range v.NumField() {
		field, value := v.Type().Field(i), v.Field(i)
		name := strings.ToLower(field.Name)
		for value.Kind() == reflect.Pointer && !value.IsNil() && (field.Anonymous || name == "r") {
			value = value.Elem()
		}
		switch {
		case !field.IsExported():
		case (field.Anonymous || name == "r" || name == "edges") && value.Kind() == reflect.Struct:
			if tracks := value.FieldByName("Tracks"); tracks.IsValid() && !field.Anonymous {
				row["tracks"] = plain(tracks)
			} else if field.Anonymous {
				addFields(row, value)
			}
		case columns[name]:
			row[name] = plain(value)
		}
	}
}

// without drops what every peer makes anew, wherever it stands.
func without(v any, made []string) any {
	switch v := v.(type) {
	case map[string]any:
		for _, name := range made {
			delete(v, name)
		}
		for key, value := range v {
			v[key] = without(value, made)
		}
	case []any:
		for i := range v {
			v[i] = without(v[i], made)
		}
	}

	return v
}
