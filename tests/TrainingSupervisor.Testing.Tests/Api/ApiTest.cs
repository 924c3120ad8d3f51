using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace TrainingSupervisor.Testing.Tests.Api;

/// <summary>A cluster without nodes, a real client, and a raw one.</summary>
public abstract class ApiTest : IAsyncLifetime
{
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    internal EmbeddedCluster Cluster { get; private set; } = null!;

    protected IKubernetes Client { get; private set; } = null!;

    protected HttpClient Http { get; private set; } = null!;

    protected virtual EmbeddedClusterOptions Options => new() { NodeCount = 0, BookmarkInterval = TimeSpan.FromMilliseconds(50) };

    public async Task InitializeAsync()
    {
        Cluster = await EmbeddedCluster.StartAsync(Options);
        Client = Cluster.CreateClient();
        var configuration = Cluster.CreateClientConfiguration();
        var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true };
        Http = new(handler) { BaseAddress = Cluster.Address };
        Http.DefaultRequestHeaders.Authorization = new("Bearer", configuration.AccessToken);
    }

    public async Task DisposeAsync()
    {
        Client.Dispose();
        Http.Dispose();
        await Cluster.DisposeAsync();
    }

    protected static V1Pod Pod(string name, string? node = null) => new()
    {
        Metadata = new() { Name = name },
        Spec = new()
        {
            NodeName = node,
            RestartPolicy = "Never",
            Containers = [new() { Name = "main", Image = "localhost/busybox:1", Command = ["sleep", "1000"] }],
        },
    };

    protected static V1ConfigMap Map(string name, string value = "1") =>
        new() { Metadata = new() { Name = name }, Data = new Dictionary<string, string> { ["a"] = value } };

    protected static async Task<JsonObject> FailsAsync(HttpStatusCode code, Task call)
    {
        var error = await Assert.ThrowsAsync<HttpOperationException>(() => call);
        Assert.Equal(code, error.Response.StatusCode);
        return JsonNode.Parse(error.Response.Content)!.AsObject();
    }

    protected async Task<(int Status, JsonObject Body)> SendAsync(string method, string path, string? body = null, string media = "application/json")
    {
        using var request = new HttpRequestMessage(new(method), path);
        if (body is not null)
        {
            request.Content = new StringContent(body, Encoding.UTF8);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(media);
        }

        using var response = await Http.SendAsync(request);
        return ((int)response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject());
    }

    /// <summary>Opens a watch; the lines come as they are.</summary>
    protected async Task<StreamReader> WatchAsync(string path)
    {
        var response = await Http.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return new(await response.Content.ReadAsStreamAsync());
    }

    protected static async Task<(string Type, JsonElement Object)?> NextAsync(StreamReader watch)
    {
        var line = await watch.ReadLineAsync().WaitAsync(Patience);
        if (line is null)
        {
            return null;
        }

        var parsed = JsonDocument.Parse(line).RootElement;
        return (parsed.GetProperty("type").GetString()!, parsed.GetProperty("object"));
    }
}
