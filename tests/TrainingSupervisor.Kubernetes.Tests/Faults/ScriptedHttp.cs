using System.Net;
using System.Text;
using System.Threading.Channels;

namespace TrainingSupervisor.Kubernetes.Tests.Faults;

/// <summary>A server without a network: answers come from the test, so that time can stand still.</summary>
internal sealed class ScriptedHttp : IKubernetesHttp
{
    private readonly Channel<(string Uri, TaskCompletionSource<HttpResponseMessage> Answer)> _requests = Channel.CreateUnbounded<(string, TaskCompletionSource<HttpResponseMessage>)>();

    public async Task<HttpResponseMessage> GetAsync(string relativeUri, string accept, CancellationToken cancellationToken)
    {
        var answer = new TaskCompletionSource<HttpResponseMessage>(TaskCreationOptions.RunContinuationsAsynchronously);
        _requests.Writer.TryWrite((relativeUri, answer));
        return await answer.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The next request; the test answers it.</summary>
    public async Task<(string Uri, TaskCompletionSource<HttpResponseMessage> Answer)> NextAsync()
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        return await _requests.Reader.ReadAsync(patience.Token);
    }

    public bool IsQuiet => !_requests.Reader.TryPeek(out _);

    public async Task<string> AnswerAsync(HttpStatusCode status, string body, TimeSpan? retryAfter = null)
    {
        var (uri, answer) = await NextAsync();
        var response = new HttpResponseMessage(status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        if (retryAfter is { } wait) response.Headers.RetryAfter = new(wait);
        answer.SetResult(response);
        return uri;
    }

    public Task<string> ListAsync(int version, string items = "") =>
        AnswerAsync(HttpStatusCode.OK, $$"""{"kind":"List","metadata":{"resourceVersion":"{{version}}"},"items":[{{items}}]}""");

    /// <summary>Opens a watch whose lines the test writes.</summary>
    public async Task<(string Uri, WatchBody Body)> WatchAsync()
    {
        var (uri, answer) = await NextAsync();
        Assert.Contains("watch=1", uri, StringComparison.Ordinal);
        var body = new WatchBody();
        answer.SetResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StreamContent(body.Reader) });
        return (uri, body);
    }

    public static string Lease(string name, int version, int second) =>
        $$"""{"metadata":{"name":"{{name}}","uid":"u-{{name}}","resourceVersion":"{{version}}"},"spec":{"leaseDurationSeconds":40,"renewTime":"2026-01-01T00:{{second / 60:00}}:{{second % 60:00}}.000000Z"} }""";

    internal sealed class WatchBody
    {
        private readonly System.IO.Pipelines.Pipe _pipe = new(new System.IO.Pipelines.PipeOptions(pauseWriterThreshold: 0));

        public Stream Reader => _pipe.Reader.AsStream();

        public async Task LineAsync(string type, string item) => await WriteAsync($$"""{"type":"{{type}}","object":{{item}}}""" + "\n");

        public async Task WriteAsync(string text) => await _pipe.Writer.WriteAsync(Encoding.UTF8.GetBytes(text));

        public async Task EndAsync() => await _pipe.Writer.CompleteAsync();
    }
}
