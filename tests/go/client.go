package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
)

const protobufType = "application/vnd.kubernetes.protobuf"

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// clients runs what Go programs do all day, in protobuf as far as client-go speaks it, and says what went wrong first.
func clients(kubeconfig string, steps []string) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	plain := rest.CopyConfig(config)
	config.ContentType = protobufType
	config.AcceptContentTypes = protobufType // alone: an answer in JSON is a failure
	typed, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	known := map[string]func(context.Context) error{
		"typed":     func(ctx context.Context) error { return objects(ctx, typed) },
		"watch":     func(ctx context.Context) error { return watching(ctx, typed) },
		"informers": func(ctx context.Context) error { return informed(ctx, typed) },
		"election":  func(ctx context.Context) error { return elected(ctx, typed) },
		"metadata":  func(ctx context.Context) error { return metadataOnly(ctx, config, typed) },
		"dynamic":   func(ctx context.Context) error { return untyped(ctx, plain) },
		"discovery": func(ctx context.Context) error { return discovered(typed) },
		"errors":    func(ctx context.Context) error { return refusals(ctx, typed) },
	}
	for _, step := range steps {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		began := time.Now()
		err := known[step](ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("%s: %w", step, err)
		}
		fmt.Fprintf(os.Stdout, "%s: ok (%s)\n", step, time.Since(began).Round(time.Millisecond))
	}
	return nil
}

// objects takes one through its life, lists in pages, scales and deletes a collection.
func objects(ctx context.Context, client kubernetes.Interface) error {
	maps := client.CoreV1().ConfigMaps("default")
	for i := 0; i < 5; i++ {
		made, err := maps.Create(ctx, &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("typed-%d", i), Labels: map[string]string{"go": "typed"}},
			Data:       map[string]string{"number": fmt.Sprint(i)}, BinaryData: map[string][]byte{"bytes": {0, 255}},
		}, metav1.CreateOptions{FieldManager: "go"})
		if err != nil {
			return err
		}
		if made.UID == "" || made.CreationTimestamp.IsZero() || made.BinaryData["bytes"][1] != 255 {
			return fmt.Errorf("made %v", made)
		}
	}
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		found, err := maps.Get(ctx, "typed-0", metav1.GetOptions{})
		if err != nil {
			return err
		}
		found.Data["number"] = "changed"
		_, err = maps.Update(ctx, found, metav1.UpdateOptions{})
		return err
	})
	if err != nil {
		return err
	}
	patched, err := maps.Patch(ctx, "typed-0", types.StrategicMergePatchType, []byte(`{"data":{"more":"x"}}`), metav1.PatchOptions{})
	if err != nil || patched.Data["more"] != "x" || patched.Data["number"] != "changed" {
		return fmt.Errorf("patched %v: %w", patched, err)
	}
	var names []string
	options := metav1.ListOptions{Limit: 2, LabelSelector: "go=typed"}
	for {
		page, err := maps.List(ctx, options)
		if err != nil {
			return err
		}
		for _, item := range page.Items {
			names = append(names, item.Name)
		}
		if options.Continue = page.Continue; options.Continue == "" {
			break
		}
	}
	if len(names) != 5 {
		return fmt.Errorf("listed %v", names)
	}
	if err := maps.DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: "go=typed"}); err != nil {
		return err
	}
	if _, err := maps.Get(ctx, "typed-0", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("still there: %w", err)
	}
	return nil
}

func watching(ctx context.Context, client kubernetes.Interface) error {
	maps := client.CoreV1().ConfigMaps("default")
	list, err := maps.List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	watcher, err := maps.Watch(ctx, metav1.ListOptions{ResourceVersion: list.ResourceVersion, AllowWatchBookmarks: true})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	if _, err = maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "watched"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	if err = maps.Delete(ctx, "watched", metav1.DeleteOptions{}); err != nil {
		return err
	}
	for _, wanted := range []watch.EventType{watch.Added, watch.Deleted} {
		event := <-watcher.ResultChan()
		object, ok := event.Object.(*corev1.ConfigMap)
		if event.Type != wanted || !ok || object.Name != "watched" {
			return fmt.Errorf("wanted %s, got %v", wanted, event)
		}
	}
	return nil
}

// informed runs a shared informer; with WatchList its first list is a stream that ends with a bookmark.
func informed(ctx context.Context, client kubernetes.Interface) error {
	maps := client.CoreV1().ConfigMaps("default")
	if _, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "first"}}, metav1.CreateOptions{}); err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactoryWithOptions(client, 0, informers.WithNamespace("default"))
	informer := factory.Core().V1().ConfigMaps()
	seen := make(chan string, 100)
	_, err := informer.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { seen <- "added " + object.(*corev1.ConfigMap).Name },
		DeleteFunc: func(object any) { seen <- "deleted " + object.(*corev1.ConfigMap).Name },
	})
	if err != nil {
		return err
	}
	stop := make(chan struct{})
	defer close(stop)
	factory.Start(stop)
	if !cache.WaitForCacheSync(ctx.Done(), informer.Informer().HasSynced) {
		return errors.New("the informer did not sync")
	}
	if found, err := informer.Lister().ConfigMaps("default").List(labels.Everything()); err != nil || len(found) == 0 {
		return fmt.Errorf("listed %v: %w", found, err)
	}
	if err := maps.Delete(ctx, "first", metav1.DeleteOptions{}); err != nil {
		return err
	}
	for {
		select {
		case what := <-seen:
			if what == "deleted first" {
				return nil
			}
		case <-ctx.Done():
			return errors.New("the deletion was not seen")
		}
	}
}

func elected(ctx context.Context, client kubernetes.Interface) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	lock := &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Name: "go", Namespace: "default"}, Client: client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: "me"},
	}
	led := false
	leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
		Lock: lock, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 200 * time.Millisecond,
		ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { led = true; cancel() },
			OnStoppedLeading: func() {},
		},
	})
	lease, err := client.CoordinationV1().Leases("default").Get(context.Background(), "go", metav1.GetOptions{})
	if err != nil || !led {
		return fmt.Errorf("leading was %v: %w", led, err)
	}
	if lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity != "" {
		return fmt.Errorf("not given back: %v", lease.Spec)
	}
	return nil
}

// metadataOnly uses the client of garbage collectors and of controller-runtime's metadata informers.
func metadataOnly(ctx context.Context, config *rest.Config, typed kubernetes.Interface) error {
	client, err := metadata.NewForConfig(metadata.ConfigFor(config))
	if err != nil {
		return err
	}
	maps := client.Resource(configMaps).Namespace("default")
	watcher, err := maps.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	defer watcher.Stop()
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "meta", Labels: map[string]string{"a": "b"}}}
	if _, err = typed.CoreV1().ConfigMaps("default").Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return err
	}
	list, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "a=b"})
	if err != nil || len(list.Items) != 1 || list.Items[0].Name != "meta" {
		return fmt.Errorf("listed %v: %w", list, err)
	}
	for event := range watcher.ResultChan() {
		if partial, ok := event.Object.(*metav1.PartialObjectMetadata); !ok {
			return fmt.Errorf("not metadata alone: %v", event)
		} else if partial.Name == "meta" {
			break
		}
	}
	return maps.Delete(ctx, "meta", metav1.DeleteOptions{})
}

func untyped(ctx context.Context, config *rest.Config) error {
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return err
	}
	maps := client.Resource(configMaps).Namespace("default")
	object := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "dynamic"}, "data": map[string]any{"a": "b"},
	}}
	if _, err = maps.Create(ctx, object, metav1.CreateOptions{}); err != nil {
		return err
	}
	list, err := maps.List(ctx, metav1.ListOptions{FieldSelector: "metadata.name=dynamic"})
	if err != nil || len(list.Items) != 1 || list.Items[0].GetKind() != "ConfigMap" {
		return fmt.Errorf("listed %v: %w", list, err)
	}
	return maps.Delete(ctx, "dynamic", metav1.DeleteOptions{})
}

func discovered(client kubernetes.Interface) error {
	_, resources, err := client.Discovery().ServerGroupsAndResources()
	if err != nil {
		return err
	}
	if len(discovery.FilteredBy(discovery.SupportsAllVerbs{Verbs: []string{"watch"}}, resources)) < 10 {
		return fmt.Errorf("found %v", resources)
	}
	one, err := client.Discovery().ServerResourcesForGroupVersion("apps/v1")
	if err != nil || len(one.APIResources) == 0 {
		return fmt.Errorf("apps/v1: %v: %w", one, err)
	}
	_, err = client.Discovery().OpenAPISchema()
	return err
}

// refusals are Statuses in protobuf: each must be told from the others.
func refusals(ctx context.Context, client kubernetes.Interface) error {
	maps := client.CoreV1().ConfigMaps("default")
	_, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "Not A Name"}}, metav1.CreateOptions{})
	if !apierrors.IsInvalid(err) {
		return fmt.Errorf("a bad name: %w", err)
	}
	status := apierrors.APIStatus(nil)
	if !errors.As(err, &status) || len(status.Status().Details.Causes) == 0 || status.Status().Details.Causes[0].Field != "metadata.name" {
		return fmt.Errorf("no causes: %v", err)
	}
	object := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "twice"}}
	for range 2 {
		_, err = maps.Create(ctx, object, metav1.CreateOptions{})
	}
	if !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("created twice: %w", err)
	}
	object.ResourceVersion = "1"
	if _, err = maps.Update(ctx, object, metav1.UpdateOptions{}); !apierrors.IsConflict(err) {
		return fmt.Errorf("an old version: %w", err)
	}
	if err := maps.Delete(ctx, "none", metav1.DeleteOptions{}); !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleted nothing: %w", err)
	}
	return maps.Delete(ctx, "twice", metav1.DeleteOptions{})
}
