package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// writeTable describes every message by reflection: for each field its JSON name, number, type and flags.
// Flags: p = a pointer (written only when there), k = kept in JSON when empty, z = left out of JSON when zero.
func writeTable(out io.Writer) error {
	t := table{Kinds: map[string]string{}, Types: map[string][][4]any{}}
	scheme := everyKind()
	for kind, goType := range scheme.AllKnownTypes() {
		if !isServed(kind) || !isMessage(reflect.New(goType).Interface()) {
			continue
		}
		name := t.add(goType)
		if strings.HasPrefix(name, "meta/v1.") && !(kind.GroupVersion() == schema.GroupVersion{Version: "v1"}) && kind.Group != "meta.k8s.io" {
			continue // every group has the options; these are looked up by name alone
		}
		t.Kinds[kind.GroupVersion().String()+"/"+kind.Kind] = name
	}
	encoded, err := json.Marshal(t)
	if err != nil {
		return err
	}
	_, err = out.Write(append(encoded, '\n'))
	return err
}

type table struct {
	Kinds map[string]string   `json:"kinds"`
	Types map[string][][4]any `json:"types"`
}

// add describes a message type and those it contains, and gives its name.
func (t *table) add(goType reflect.Type) string {
	name := nameOf(goType)
	if _, found := t.Types[name]; found {
		return name
	}
	t.Types[name] = [][4]any{}
	if isSpecial(goType) {
		return name
	}
	if goType.Kind() != reflect.Struct {
		panic(fmt.Sprintf("%s is no struct", name))
	}
	rows := [][4]any{}
	for i := 0; i < goType.NumField(); i++ {
		if row, ok := t.field(goType.Field(i)); ok {
			rows = append(rows, row)
		}
	}
	t.Types[name] = rows
	return name
}

func (t *table) field(field reflect.StructField) (row [4]any, ok bool) {
	tag := field.Tag.Get("protobuf")
	parts := strings.Split(tag, ",")
	if len(parts) < 2 {
		return row, false
	}
	var number int
	if _, err := fmt.Sscan(parts[1], &number); err != nil {
		panic(err)
	}
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	flags := ""
	goType := field.Type
	if goType.Kind() == reflect.Pointer {
		flags, goType = "p", goType.Elem()
	}
	if !strings.Contains(options, "omitempty") {
		flags += "k"
	}
	if strings.Contains(options, "omitzero") {
		flags += "z"
	}
	if name == "" {
		name = "<inline>"
	}
	return [4]any{name, number, t.typeOf(goType), flags}, true
}

// typeOf names the type of a field as the table does.
func (t *table) typeOf(goType reflect.Type) string {
	if isSpecial(goType) {
		return t.add(goType)
	}
	switch goType.Kind() {
	case reflect.Pointer:
		panic("a pointer to a pointer")
	case reflect.Slice:
		if goType.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if goType.Name() != "" { // a named list is a message of its own: ExtraValue, Verbs
			if isMessage(reflect.New(goType).Interface()) {
				return "items<" + t.typeOf(goType.Elem()) + ">"
			}
		}
		return "[]" + t.typeOf(goType.Elem())
	case reflect.Map:
		if goType.Name() != "" {
			if isMessage(reflect.New(goType).Interface()) {
				panic("a named map that is a message")
			}
		}
		return "map<" + t.typeOf(goType.Key()) + "," + t.typeOf(goType.Elem()) + ">"
	case reflect.Struct:
		return t.add(goType)
	default:
		return goType.Kind().String()
	}
}

// isSpecial says whether a type writes its JSON itself, so that rules of fields do not hold for it.
func isSpecial(goType reflect.Type) bool {
	if goType.Kind() != reflect.Struct {
		return false
	}
	value := reflect.New(goType).Interface()
	_, ok := value.(json.Marshaler)
	return ok
}

func nameOf(goType reflect.Type) string {
	parts := strings.Split(goType.PkgPath(), "/")
	last := parts[len(parts)-1]
	if strings.HasPrefix(last, "v") && len(parts) > 1 && last != "version" {
		last = parts[len(parts)-2] + "/" + last
	}
	return last + "." + goType.Name()
}

// isServed leaves out what a server with default features does not know.
func isServed(kind schema.GroupVersionKind) bool {
	return kind.Version != runtime.APIVersionInternal && !strings.Contains(kind.Version, "alpha")
}

// isMessage says whether a type has a form on the wire at all.
func isMessage(value any) bool {
	_, ok := value.(interface{ Marshal() ([]byte, error) })
	return ok
}
