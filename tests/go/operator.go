package main

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

const finalizer = "example.com/copied"

// copier keeps a Secret beside each ConfigMap that asks for one; a finalizer takes the Secret away.
type copier struct{ client.Client }

func (c *copier) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	source := &corev1.ConfigMap{}
	if err := c.Get(ctx, request.NamespacedName, source); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if source.Labels["copy"] != "yes" {
		return ctrl.Result{}, nil
	}
	target := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: source.Name, Namespace: source.Namespace}}
	if source.DeletionTimestamp != nil {
		if err := client.IgnoreNotFound(c.Delete(ctx, target)); err != nil {
			return ctrl.Result{}, err
		}
		controllerutil.RemoveFinalizer(source, finalizer)
		return ctrl.Result{}, c.Update(ctx, source)
	}
	if controllerutil.AddFinalizer(source, finalizer) {
		if err := c.Update(ctx, source); err != nil {
			return ctrl.Result{}, err
		}
	}
	_, err := controllerutil.CreateOrUpdate(ctx, c.Client, target, func() error {
		target.StringData = source.Data
		return controllerutil.SetControllerReference(source, target, c.Scheme())
	})
	return ctrl.Result{}, err
}

// operate runs the operator and, beside it, a user who makes, changes and deletes what it looks after.
func operate(kubeconfig string) error {
	ctrl.SetLogger(klog.Background())
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	manager, err := ctrl.NewManager(config, ctrl.Options{
		Metrics: server.Options{BindAddress: "0"}, LeaderElection: true, LeaderElectionID: "copier",
		LeaderElectionNamespace: "default", LeaderElectionReleaseOnCancel: true,
	})
	if err != nil {
		return err
	}
	err = ctrl.NewControllerManagedBy(manager).For(&corev1.ConfigMap{}).Owns(&corev1.Secret{}).Complete(&copier{manager.GetClient()})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- manager.Start(ctx) }()
	direct, err := client.New(config, client.Options{})
	if err != nil {
		return err
	}
	if err := use(ctx, direct); err != nil {
		return err
	}
	cancel()
	fmt.Fprintln(os.Stdout, "operator: ok")
	return <-ended
}

func use(ctx context.Context, user client.Client) error {
	source := &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "copied", Namespace: "default", Labels: map[string]string{"copy": "yes"}},
		Data:       map[string]string{"key": "one"},
	}
	if err := user.Create(ctx, source); err != nil {
		return err
	}
	if err := until(ctx, user, "one"); err != nil {
		return fmt.Errorf("the copy: %w", err)
	}
	changed := client.MergeFrom(source.DeepCopy())
	source.Data["key"] = "two"
	if err := user.Patch(ctx, source, changed); err != nil {
		return err
	}
	if err := until(ctx, user, "two"); err != nil {
		return fmt.Errorf("the changed copy: %w", err)
	}
	if err := user.Delete(ctx, source); err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		err := user.Get(ctx, client.ObjectKeyFromObject(source), &corev1.ConfigMap{})
		return err != nil && client.IgnoreNotFound(err) == nil, client.IgnoreNotFound(err)
	})
}

// until waits for the copy to hold a value.
func until(ctx context.Context, user client.Client, value string) error {
	key := client.ObjectKey{Namespace: "default", Name: "copied"}
	return wait.PollUntilContextCancel(ctx, 50*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		found := &corev1.Secret{}
		err := user.Get(ctx, key, found)
		return err == nil && string(found.Data["key"]) == value && len(found.OwnerReferences) == 1, client.IgnoreNotFound(err)
	})
}
