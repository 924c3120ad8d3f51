using System.Globalization;
using System.Reactive.Linq;
using System.Reactive.Threading.Tasks;
using k8s;
using k8s.Models;
using TrainingSupervisor.Testing;

namespace TrainingSupervisor.EndToEnd.Tests.Scenarios;

/// <summary>A gang in which something is broken on purpose. Its workers report step 1, and then do what they are told.</summary>
internal sealed class Play(Lab lab, Scenario scenario) : IDisposable
{
    private readonly List<GangEvent> _events = [];
    private IDisposable? _subscription;

    public Lab Lab => lab;
    public IKubernetes Client { get; } = lab.CreateClient();
    public GangHandle Gang { get; private set; } = null!;

    /// <summary>When it was done: what is measured begins here.</summary>
    public DateTimeOffset Struck { get; private set; }

    /// <summary>The events so far.</summary>
    public IReadOnlyList<GangEvent> Events
    {
        get
        {
            lock (_events) return [.. _events];
        }
    }

    public async Task LaunchAsync()
    {
        for (var i = 1; i <= scenario.Workers + scenario.MoreNodes; i++) await AddNodeAsync(i);
        Gang = await lab.LaunchAsync(Describe());
        _subscription = Gang.Events.Subscribe(e =>
        {
            lock (_events) _events.Add(e);
        });
        if (!scenario.StartsWell) return;
        await StartedAsync(1);
        await lab.UntilAsync(() => Gang.Status.Workers.All(w => w.Worker is not null || w.State == "Waiting"));
        Assert.True(!Events.Any(e => e is FailureDetected or GangNotice), $"it did not start well:\n{string.Join('\n', Events)}");
    }

    /// <summary>It is done now; said again where something must be prepared first.</summary>
    public void Strike() => Struck = TimeProvider.System.GetUtcNow();

    /// <summary>Running, with a step done.</summary>
    public async Task StartedAsync(int attempt)
    {
        await lab.RunningAsync(Gang, attempt);
        await lab.UntilAsync(() => Gang.Status.Workers.All(w => w.Worker is null || w is { State: "Running", Step: >= 1 }));
    }

    public Task AddNodeAsync(int number)
    {
        var options = new NodeOptions { Labels = { ["pool"] = scenario.Name } };
        return lab.Embedded.AddNodeAsync($"{scenario.Name}-node-{number.ToString(CultureInfo.InvariantCulture)}", scenario.Node(number, options));
    }

    public WorkerStatus Of(int rank) => Gang.Status.Workers[rank];
    public EmbeddedNode NodeOf(int rank) => lab.Embedded.Nodes[Of(rank).Node!];

    /// <summary>The first failure of this kind since it was done.</summary>
    public async Task<Failure> DetectedAsync(FailureKind kind) => (await lab.ExpectAsync<FailureDetected>(Gang, f => f.Failure.Kind == kind && f.At >= Struck)).Failure;

    /// <summary>Has the worker's shell carry out a line.</summary>
    public Task TellAsync(int rank, string line) => Task.Run(() =>
    {
        using var pipe = new FileStream(FileOf(rank, "told"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        pipe.Write(System.Text.Encoding.UTF8.GetBytes(line + "\n"));
    }).WaitAsync(lab.Cluster.Patience);

    public async Task TellAllAsync(string line)
    {
        for (var rank = 0; rank < scenario.Workers; rank++) await TellAsync(rank, line);
    }

    /// <summary>A file in the worker's GANG_DIR.</summary>
    public string FileOf(int rank, string name)
    {
        var environment = File.ReadAllText($"/proc/{lab.Embedded.GetContainerProcessId(Of(rank).Pod, "worker")}/environ");
        return Path.Combine(environment.Split('\0').Single(v => v.StartsWith("GANG_DIR=", StringComparison.Ordinal))["GANG_DIR=".Length..], name);
    }

    public Task KillWorkerAsync(int rank) => lab.Cluster.KillWorkerAsync(Of(rank).Pod);

    public Task DeletePodAsync(int rank) =>
        Client.CoreV1.DeleteNamespacedPodAsync(Of(rank).Pod, lab.Cluster.Namespace, new V1DeleteOptions { GracePeriodSeconds = 1 });

    public async Task SetConditionAsync(string node, string type, string status, string reason, string message)
    {
        var conditions = (await Client.CoreV1.ReadNodeAsync(node)).Status.Conditions;
        var known = conditions.ToList().FindIndex(c => c.Type == type);
        var (op, place) = known < 0 ? ("add", "-") : ("replace", known.ToString(CultureInfo.InvariantCulture));
        var condition = $$"""{"type":"{{type}}","status":"{{status}}","reason":"{{reason}}","message":"{{message}}"}""";
        await Client.CoreV1.PatchNodeStatusAsync(new V1Patch($$"""[{"op":"{{op}}","path":"/status/conditions/{{place}}","value":{{condition}}}]""", V1Patch.PatchType.JsonPatch), node);
    }

    public Task AnnotateNodeAsync(string node, string text) => Client.CoreV1.PatchNodeAsync(Annotation(text), node);

    public Task AnnotatePodAsync(int rank, string text) => Client.CoreV1.PatchNamespacedPodAsync(Annotation(text), Of(rank).Pod, lab.Cluster.Namespace);

    public async Task<Dictionary<string, V1Pod>> PodsAsync() =>
        (await Client.CoreV1.ListNamespacedPodAsync(lab.Cluster.Namespace, labelSelector: $"training-supervisor.dev/gang={scenario.Name}")).Items.ToDictionary(p => p.Metadata.Name);

    public void Dispose()
    {
        _subscription?.Dispose();
        Client.Dispose();
    }

    private static V1Patch Annotation(string text) =>
        new($$$$"""{"metadata":{"annotations":{"training-supervisor.dev/failure":"{{{{text}}}}"}}}""", V1Patch.PatchType.MergePatch);

    private GangBuilder Describe()
    {
        var request = lab.Cluster.Request(scenario.Workers, 0, []);
        var gang = TrainingSupervisor.Gang.Create(scenario.Name).WithNamespace(request.Namespace)
            .AddRole("w", role =>
            {
                role.WithCount(scenario.Workers).WithImage(request.WorkerImage).WithCommand("sh", "-c", $"mkfifo $GANG_DIR/told 2> /dev/null; echo step 1 >> $GANG_PROGRESS_FILE; {scenario.Beside} while :; do . $GANG_DIR/told; done").WithAgentFromImageVolume(request.Agent).WithOnePerNode();
                role.ConfigurePod(pod =>
                {
                    pod.Spec.NodeSelector = new Dictionary<string, string> { ["pool"] = scenario.Name };
                    pod.Spec.TerminationGracePeriodSeconds = 2;
                    scenario.Pod?.Invoke(pod);
                });
                scenario.Role(role);
            })
            .WithHeartbeat(TimeSpan.FromSeconds(0.5)).WithFence(TimeSpan.FromSeconds(scenario.NodesDie ? 5 : 30))
            .WithStartDeadline(TimeSpan.FromSeconds(120)).WithBarrierDeadline(TimeSpan.FromSeconds(120));
        if (scenario.Policy is { } policy) gang.WithPolicy(policy);
        scenario.Gang(gang);
        return gang;
    }
}
