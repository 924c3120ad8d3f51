using System.Globalization;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Nodes;

/// <summary>The Node object and its Lease.</summary>
internal sealed class NodeRegistration(NodeContext context, string name, NodeOptions options) : IAsyncDisposable
{
    private const string LeaseNamespace = "kube-node-lease";
    private CancellationTokenSource? _stop;
    private Task _renewing = Task.CompletedTask;

    public void Register()
    {
        var labels = new JsonObject
        {
            ["kubernetes.io/hostname"] = name,
            ["kubernetes.io/os"] = "linux",
            ["kubernetes.io/arch"] = "amd64",
        };
        foreach (var (key, value) in options.Labels)
        {
            labels[key] = value;
        }

        var capacity = new JsonObject { ["pods"] = options.Pods.ToString(CultureInfo.InvariantCulture), ["cpu"] = options.Cpu, ["memory"] = options.Memory };
        foreach (var (resource, amount) in options.Resources)
        {
            capacity[resource] = amount;
        }

        var spec = new JsonObject();
        if (options.Taints.Count > 0)
        {
            spec["taints"] = new JsonArray([.. options.Taints.Select(t => t.ToJson())]);
        }

        context.Store.Create(ResourceType.Nodes, new()
        {
            ["metadata"] = new JsonObject { ["name"] = name, ["labels"] = labels },
            ["spec"] = spec,
            ["status"] = new JsonObject
            {
                ["capacity"] = capacity,
                ["allocatable"] = capacity.DeepClone(),
                ["conditions"] = Conditions(),
                ["addresses"] = new JsonArray(
                    new JsonObject { ["type"] = "InternalIP", ["address"] = Kubelet.HostAddress },
                    new JsonObject { ["type"] = "Hostname", ["address"] = name }),
                ["nodeInfo"] = new JsonObject
                {
                    ["kubeletVersion"] = "v1.36.2",
                    ["containerRuntimeVersion"] = "containerd://2.1.9",
                    ["operatingSystem"] = "linux",
                    ["architecture"] = "amd64",
                },
                ["declaredFeatures"] = options.DeclareRestartAllContainers ? new JsonArray(RestartRules.Feature) : [],
            },
        });
    }

    public void MarkReady() => context.Store.Update(ResourceType.Nodes, null, name, obj =>
    {
        var before = obj.At("status").Items("conditions")!.OfType<JsonObject>().First(c => c.Text("type") == "Ready");
        if (before.Text("status") != "True")
        {
            obj.Ensure("status")["conditions"] = Conditions();
        }

        return obj;
    });

    /// <summary>Says whether the node knows the action RestartAllContainers.</summary>
    public void Declare(bool restartAll) => context.Store.Update(ResourceType.Nodes, null, name, obj =>
    {
        obj.Ensure("status")["declaredFeatures"] = restartAll ? new JsonArray(RestartRules.Feature) : [];
        return obj;
    });

    public void StartLease()
    {
        if (_stop is null)
        {
            _stop = new();
            Renew();
            _renewing = RenewAsync(_stop.Token);
        }
    }

    public async Task StopLeaseAsync()
    {
        if (_stop is { } stop)
        {
            _stop = null;
            await stop.CancelAsync().ConfigureAwait(false);
            await _renewing.ConfigureAwait(false);
            stop.Dispose();
        }
    }

    public async ValueTask DisposeAsync() => await StopLeaseAsync().ConfigureAwait(false);

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(context.LeaseDuration / 4, context.Time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken).ConfigureAwait(false))
            {
                Renew();
            }
        }
        catch (OperationCanceledException)
        {
        }
    }

    private void Renew()
    {
        var time = context.Time.GetUtcNow().UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        var spec = new JsonObject
        {
            ["holderIdentity"] = name,
            ["leaseDurationSeconds"] = Math.Max(1, (int)Math.Ceiling(context.LeaseDuration.TotalSeconds)),
            ["renewTime"] = time,
        };
        if (context.Store.Get(ResourceType.Leases, LeaseNamespace, name) is null)
        {
            context.Store.Create(ResourceType.Leases, new()
            {
                ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = LeaseNamespace },
                ["spec"] = spec,
            });
            return;
        }

        context.Store.Update(ResourceType.Leases, LeaseNamespace, name, obj =>
        {
            obj["spec"] = spec;
            return obj;
        });
    }

    private JsonArray Conditions()
    {
        var now = Json.Time(context.Time.GetUtcNow());
        JsonObject Condition(string type, string status, string reason, string message) => new()
        {
            ["type"] = type,
            ["status"] = status,
            ["lastHeartbeatTime"] = now,
            ["lastTransitionTime"] = now,
            ["reason"] = reason,
            ["message"] = message,
        };

        return new(
            Condition("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            Condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            Condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            Condition("Ready", "True", "KubeletReady", "kubelet is posting ready status"));
    }
}
