using k8s;
using k8s.Models;

namespace TrainingSupervisor.EndToEnd.Tests;

/// <summary>
/// What an Indexed Job does, as far as a gang sees it: a Pod for each index, of a name that nobody knows beforehand, and another one as soon
/// as one fails or is being deleted. What has ended it leaves where it is.
/// </summary>
internal sealed class JobLikeController : IAsyncDisposable
{
    public const string Selector = "batch.kubernetes.io/job-name=llm";

    private readonly IKubernetes _client;
    private readonly string _namespace;
    private readonly V1PodTemplateSpec _template;
    private readonly int _count;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    public JobLikeController(IKubernetes client, string ns, V1PodTemplateSpec template, int count)
    {
        (_client, _namespace, _template, _count) = (client, ns, template, count);
        _running = RunAsync();
    }

    /// <summary>Creates nothing, as while it backs off.</summary>
    public bool Paused { get; set; }

    /// <summary>The Pods that serve, by index.</summary>
    public async Task<Dictionary<int, V1Pod>> PodsAsync() => (await ListAsync())
        .Where(p => p.Metadata.DeletionTimestamp is null && p.Status.Phase is "Pending" or "Running").ToDictionary(IndexOf);

    /// <summary>All of them, also those that have ended.</summary>
    public async Task<IList<V1Pod>> ListAsync() => (await _client.CoreV1.ListNamespacedPodAsync(_namespace, labelSelector: Selector)).Items;

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        try
        {
            await _running;
        }
        catch (OperationCanceledException)
        {
            // As asked; whatever else ended it fails the test.
        }

        _stopping.Dispose();
        _client.Dispose();
    }

    private static int IndexOf(V1Pod pod) => int.Parse(pod.Metadata.Labels[AdoptedPods.JobCompletionIndex], System.Globalization.CultureInfo.InvariantCulture);

    private async Task RunAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            if (!Paused)
            {
                var there = await PodsAsync();
                var done = (await ListAsync()).Where(p => p.Status.Phase == "Succeeded").Select(IndexOf).ToHashSet();
                foreach (var index in Enumerable.Range(0, _count).Where(i => !there.ContainsKey(i) && !done.Contains(i))) await CreateAsync(index);
            }

            await Task.Delay(50, _stopping.Token);
        }
    }

    private Task<V1Pod> CreateAsync(int index)
    {
        var pod = new V1Pod
        {
            Metadata = new V1ObjectMeta
            {
                GenerateName = $"llm-{index}-",
                Labels = new Dictionary<string, string>(_template.Metadata.Labels)
                {
                    ["batch.kubernetes.io/job-name"] = "llm",
                    [AdoptedPods.JobCompletionIndex] = index.ToString(System.Globalization.CultureInfo.InvariantCulture),
                },
            },
            Spec = _template.Spec,
        };
        return _client.CoreV1.CreateNamespacedPodAsync(pod, _namespace);
    }
}
