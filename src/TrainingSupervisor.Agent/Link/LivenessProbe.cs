namespace TrainingSupervisor.Agent.Link;

/// <summary>Asks the API server for a sign of life. Any HTTP answer is one; its certificate is not checked as nothing it says is used.</summary>
internal sealed class LivenessProbe(Uri address) : IDisposable
{
    // No pooling: a kept connection may be dead without anybody knowing, and the question is whether the way is open now.
    private readonly HttpClient _client = new(new SocketsHttpHandler
    {
        PooledConnectionLifetime = TimeSpan.Zero,
        UseProxy = false,
        AllowAutoRedirect = false,
#pragma warning disable CA5359 // Nothing is trusted from the answer, and nothing is told.
        SslOptions = new() { RemoteCertificateValidationCallback = static (_, _, _, _) => true },
#pragma warning restore CA5359
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    public void Dispose() => _client.Dispose();

    internal async Task<bool> AskAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await _client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }
}
