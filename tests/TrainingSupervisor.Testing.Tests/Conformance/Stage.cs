using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing.Tests.Conformance;

/// <summary>A cluster for one scenario, and a watch of what happens in it, through HTTP as a user's would be.</summary>
internal sealed class Stage : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);
    private readonly List<(string Type, JsonObject Object)> _events = [];
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _watches = [];
    private TaskCompletionSource _news = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Stage(EmbeddedCluster cluster)
    {
        Cluster = cluster;
        Client = new() { BaseAddress = cluster.Address, Timeout = Timeout.InfiniteTimeSpan };
        Client.DefaultRequestHeaders.Authorization = new("Bearer", cluster.CreateClientConfiguration().AccessToken);
    }

    public EmbeddedCluster Cluster { get; }

    public HttpClient Client { get; }

    public EmbeddedNode Node => Cluster.Nodes["node-1"];

    public static async Task<Stage> StartAsync(Action<EmbeddedClusterOptions>? configure = null)
    {
        var options = new EmbeddedClusterOptions { UseTls = false };
        options.NodeNames.Add("node-1");
        options.Kubelet.IgnoreUnhandledSignals = true;
        configure?.Invoke(options);
        return new(await EmbeddedCluster.StartAsync(options));
    }

    /// <summary>Begins to watch, from now on.</summary>
    public async Task WatchAsync(string path)
    {
        var version = Cluster.Store.ResourceVersion;
        var response = await Client.GetAsync($"{path}?watch=1&resourceVersion={version}", HttpCompletionOption.ResponseHeadersRead);
        response.EnsureSuccessStatusCode();
        _watches.Add(ReadAsync(response));
    }

    public async Task CreateAsync(JsonObject obj, string path = "/api/v1/namespaces/default/pods")
    {
        using var response = await SendAsync(HttpMethod.Post, path, obj);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }

    public Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, JsonNode? body = null, string type = "application/json")
    {
        var request = new HttpRequestMessage(method, path);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.ToJsonString()));
            request.Content.Headers.ContentType = MediaTypeHeaderValue.Parse(type);
        }

        return Client.SendAsync(request);
    }

    /// <summary>All states of an object up to now, without repetitions.</summary>
    public IReadOnlyList<string> States(string name, Func<string, JsonObject, string> describe)
    {
        var states = new List<string>();
        foreach (var (type, obj) in Events())
        {
            if (obj.Name() == name && describe(type, obj) is var state && (states.Count == 0 || states[^1] != state))
            {
                states.Add(state);
            }
        }

        return states;
    }

    /// <summary>Waits for an event; says whether it came.</summary>
    public async Task<bool> UntilAsync(Func<string, JsonObject, bool> condition, TimeSpan? patience = null)
    {
        var clock = Stopwatch.StartNew();
        for (var seen = 0; ;)
        {
            Task news;
            lock (_events)
            {
                for (; seen < _events.Count; seen++)
                {
                    if (condition(_events[seen].Type, _events[seen].Object))
                    {
                        return true;
                    }
                }

                news = _news.Task;
            }

            var left = (patience ?? s_patience) - clock.Elapsed;
            if (left <= TimeSpan.Zero || await Task.WhenAny(news, Task.Delay(left)) != news)
            {
                return false;
            }
        }
    }

    /// <summary>Waits until the newest state of an object is the wanted one.</summary>
    public async Task<bool> LastIsAsync(string name, Func<string, JsonObject, bool> condition)
    {
        bool IsLast()
        {
            var last = Events().LastOrDefault(e => e.Object.Name() == name);
            return last.Object is not null && condition(last.Type, last.Object);
        }

        return await UntilAsync((_, _) => IsLast());
    }

    /// <summary>Forgets what was seen so far, where a recording begins later.</summary>
    public void Forget()
    {
        lock (_events)
        {
            _events.Clear();
        }
    }

    /// <summary>For what nothing announces: files and processes.</summary>
    public static async Task PollAsync(Func<bool> condition)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(clock.Elapsed < s_patience, "The condition did not come true.");
            await Task.Delay(20);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_watches);
        Client.Dispose();
        var errors = Cluster.Plane.Context.Errors;
        await Cluster.DisposeAsync();
        _end.Dispose();
        Assert.Empty(errors);
    }

    private (string Type, JsonObject Object)[] Events()
    {
        lock (_events)
        {
            return [.. _events];
        }
    }

    private async Task ReadAsync(HttpResponseMessage response)
    {
        using var _ = response;
        try
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(_end.Token));
            while (await reader.ReadLineAsync(_end.Token) is { } line)
            {
                var change = (JsonObject)JsonNode.Parse(line)!;
                TaskCompletionSource news;
                lock (_events)
                {
                    _events.Add((change.Text("type")!, change.At("object")!));
                    (news, _news) = (_news, new(TaskCreationOptions.RunContinuationsAsynchronously));
                }

                news.SetResult();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or HttpRequestException)
        {
            // The scenario is over, or its API server is.
        }
    }
}
