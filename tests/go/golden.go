package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand"
	"reflect"
	"sort"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"
)

// writeGolden writes objects of every kind with random contents: a line each of protobuf (base64) and of JSON.
func writeGolden(out io.Writer, seed int64, rounds int) error {
	scheme := everyKind()
	codec := protobuf.NewSerializer(scheme, scheme)
	kinds := messages(scheme)
	lines := bufio.NewWriter(out)
	for round := 0; round < rounds; round++ {
		for _, kind := range kinds {
			fill := filler(seed+int64(round), round)
			object, err := scheme.New(kind)
			if err != nil {
				return err
			}
			fill.Fill(object)
			object.GetObjectKind().SetGroupVersionKind(kind)
			if object.GetObjectKind().GroupVersionKind().Empty() {
				continue // WatchEvent: it travels without an envelope
			}
			var wire bytes.Buffer
			if err := codec.Encode(object, &wire); err != nil {
				return fmt.Errorf("%v: %w", kind, err)
			}
			back, _, err := codec.Decode(wire.Bytes(), nil, nil)
			if err != nil {
				return fmt.Errorf("%v: %w", kind, err)
			}
			text, err := json.Marshal(back)
			if err != nil {
				return fmt.Errorf("%v: %w", kind, err)
			}
			fmt.Fprintf(lines, "%s\n%s\n", base64.StdEncoding.EncodeToString(wire.Bytes()), text)
		}
	}
	return lines.Flush()
}

// messages lists the kinds that have a form on the wire, sorted.
func messages(scheme *runtime.Scheme) []schema.GroupVersionKind {
	var kinds []schema.GroupVersionKind
	for kind, goType := range scheme.AllKnownTypes() {
		if isServed(kind) && isMessage(reflect.New(goType).Interface()) {
			kinds = append(kinds, kind)
		}
	}
	sort.Slice(kinds, func(i, j int) bool { return kinds[i].String() < kinds[j].String() })
	return kinds
}

// filler makes values that both forms can carry: no list that is there and empty, no pointer to the zero time.
func filler(seed int64, round int) *randfill.Filler {
	source := rand.New(rand.NewSource(seed))
	chance := []float64{0.5, 0.05, 1}[round%3]
	return randfill.New().RandSource(source).NilChance(chance).NumElements(1, 3).MaxDepth(12).Funcs(
		func(t *metav1.TypeMeta, c randfill.Continue) {},
		func(t *runtime.TypeMeta, c randfill.Continue) {},
		func(t *metav1.Time, c randfill.Continue) {
			if c.Bool() {
				*t = someTime(c)
			}
		},
		func(t *metav1.MicroTime, c randfill.Continue) {
			if c.Bool() {
				*t = metav1.NewMicroTime(someTime(c).Add(time.Duration(c.Intn(1_000_000)) * time.Microsecond))
			}
		},
		func(t **metav1.Time, c randfill.Continue) {
			if c.Bool() {
				some := someTime(c)
				*t = &some
			}
		},
		func(t **metav1.MicroTime, c randfill.Continue) {
			if c.Bool() {
				some := metav1.NewMicroTime(someTime(c).Time)
				*t = &some
			}
		},
		func(q *resource.Quantity, c randfill.Continue) {
			*q = resource.MustParse([]string{"0", "1", "100m", "1Gi", "1536Mi", "3e9", "12k", "-5"}[c.Intn(8)])
		},
		func(v *intstr.IntOrString, c randfill.Continue) {
			if *v = intstr.FromInt32(int32(c.Intn(90000)) - 5); c.Bool() {
				*v = intstr.FromString(text(c))
			}
		},
		func(v *metav1.FieldsV1, c randfill.Continue) { v.Raw = []byte(`{"f:spec":{".":{},"f:x":{}}}`) },
		func(v *runtime.RawExtension, c randfill.Continue) { v.Raw = []byte(`{"a":[1,"b",null,2.5]}`) },
		func(v *apiextensionsv1.JSON, c randfill.Continue) { v.Raw = []byte(`{"x":[1,true,"é"]}`) },
		func(v *apiextensionsv1.JSONSchemaProps, c randfill.Continue) { *v = someSchema(c, 0) },
		func(v *string, c randfill.Continue) { *v = text(c) },
		func(v *float64, c randfill.Continue) { *v = float64(c.Intn(1000)) / 8 },
		func(v *int64, c randfill.Continue) { *v = c.Int63() - c.Int63() },
		func(v *[]byte, c randfill.Continue) { *v = []byte{byte(c.Intn(256)), 0, 255} },
	)
}

func someTime(c randfill.Continue) metav1.Time {
	return metav1.Unix(c.Int63n(4_000_000_000)+1, 0)
}

func text(c randfill.Continue) string {
	return []string{"", "a", "web-1", "größe", "日本", "<a&b>", "x\ty", "\u2028"}[c.Intn(8)]
}

// someSchema fills the parts of a schema whose JSON is not simply that of its fields.
func someSchema(c randfill.Continue, depth int) apiextensionsv1.JSONSchemaProps {
	floor, length := float64(c.Intn(100))/4, c.Int63n(5000)
	props := apiextensionsv1.JSONSchemaProps{
		Type: text(c), Description: text(c), Format: text(c), Minimum: &floor, MaxLength: &length, Nullable: c.Bool(),
		Enum: []apiextensionsv1.JSON{{Raw: []byte(`"a"`)}, {Raw: []byte(`1`)}}, Default: &apiextensionsv1.JSON{Raw: []byte(`{"b":[]}`)},
		Required: []string{"a", text(c)}, AdditionalProperties: &apiextensionsv1.JSONSchemaPropsOrBool{Allows: c.Bool()},
		XValidations: apiextensionsv1.ValidationRules{{Rule: text(c), Message: text(c)}},
	}
	if depth < 2 {
		inner := someSchema(c, depth+1)
		props.Properties = map[string]apiextensionsv1.JSONSchemaProps{"p": someSchema(c, depth+1), "a": inner}
		props.Items = &apiextensionsv1.JSONSchemaPropsOrArray{Schema: &inner}
		props.AdditionalItems = &apiextensionsv1.JSONSchemaPropsOrBool{Allows: true, Schema: &inner}
		props.Dependencies = apiextensionsv1.JSONSchemaDependencies{"d": {Property: []string{"x"}}, "e": {Schema: &inner}}
		props.Not, props.AllOf = &inner, []apiextensionsv1.JSONSchemaProps{inner}
		if c.Bool() {
			props.Items = &apiextensionsv1.JSONSchemaPropsOrArray{JSONSchemas: []apiextensionsv1.JSONSchemaProps{inner, inner}}
		}
	}
	return props
}
