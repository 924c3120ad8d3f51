using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;
using TrainingSupervisor.Testing.Api;
using TrainingSupervisor.Testing.Storage;

namespace TrainingSupervisor.Testing;

/// <summary>
/// A Kubernetes cluster inside this process: an API server on loopback and nodes that run containers as local processes.
/// It behaves as recordings of a real v1.36.2 do, and fails on demand.
/// </summary>
public sealed partial class EmbeddedCluster : IAsyncDisposable
{
    private readonly ApiServer _server;
    private readonly ApiHandler _handler;
    private readonly TokenAuthority _tokens = new();
    private readonly List<IClusterComponent> _components = [];
    private readonly bool _ownsDataDirectory;
    private int _disposed;

    private EmbeddedCluster(EmbeddedClusterOptions options)
    {
        Options = options;
        Store = new(options.TimeProvider, options.HistorySize);
        Api = new(Store);
        _handler = new(Store, options, _tokens, Api, Requests);
        _server = new(options, _handler, Api);
        Api.Server = _server;
        _ownsDataDirectory = options.DataDirectory is null;
        DataDirectory = options.DataDirectory ?? Directory.CreateTempSubdirectory("embedded-kubernetes-").FullName;
        Directory.CreateDirectory(DataDirectory);
        AddComponents(_components);
    }

    /// <summary>The API server's address.</summary>
    public Uri Address => _server.Address;

    /// <summary>Faults on demand.</summary>
    public ApiFaults Api { get; }

    /// <summary>What clients have asked of the API server.</summary>
    public RequestLog Requests { get; } = new();

    /// <summary>Where the nodes keep their volumes and logs.</summary>
    public string DataDirectory { get; }

    /// <summary>A kubeconfig in YAML for an administrator.</summary>
    public string KubeConfig => CreateKubeConfig(_tokens.AdminToken);

    internal EmbeddedClusterOptions Options { get; }

    internal ObjectStore Store { get; }

    /// <summary>Starts a cluster.</summary>
    /// <param name="options">What kind of cluster; default: one node, TLS, a free port.</param>
    /// <param name="ct">Stops the start.</param>
    /// <returns>The running cluster; dispose it to end everything that it started.</returns>
    public static async Task<EmbeddedCluster> StartAsync(EmbeddedClusterOptions? options = null, CancellationToken ct = default)
    {
        options ??= new();
        options.Validate();
        var cluster = new EmbeddedCluster(options);
        try
        {
            await cluster._server.StartAsync(ct).ConfigureAwait(false);
            foreach (var component in cluster._components)
            {
                await component.StartAsync(ct).ConfigureAwait(false);
            }

            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Settings for a client with all rights.</summary>
    public KubernetesClientConfiguration CreateClientConfiguration() => CreateClientConfiguration(_tokens.AdminToken);

    /// <summary>Settings for a client with a token of <see cref="CreateToken"/>.</summary>
    /// <param name="token">The bearer token.</param>
    public KubernetesClientConfiguration CreateClientConfiguration(string token)
    {
        var configuration = new KubernetesClientConfiguration
        {
            Host = Address.ToString(),
            AccessToken = token,
            Namespace = "default",
        };
        if (_server.Authority is { } authority)
        {
            configuration.SslCaCerts = [X509CertificateLoader.LoadCertificate(authority.RawData)];
        }

        return configuration;
    }

    /// <summary>A client with all rights. The caller disposes it.</summary>
    public IKubernetes CreateClient() => new Kubernetes(CreateClientConfiguration());

    /// <summary>A client with a token of <see cref="CreateToken"/>. The caller disposes it.</summary>
    /// <param name="token">The bearer token.</param>
    public IKubernetes CreateClient(string token) => new Kubernetes(CreateClientConfiguration(token));

    /// <summary>A token that may do only what the rules say; anything else is answered with 403 and Kubernetes' own message.</summary>
    /// <param name="user">The user's name, as it stands in messages.</param>
    /// <param name="rules">What the user may do; none means nothing.</param>
    public string CreateToken(string user, params IReadOnlyList<AccessRule> rules)
    {
        ArgumentException.ThrowIfNullOrEmpty(user);
        return _tokens.Create(user, [.. rules]);
    }

    /// <summary>A kubeconfig in YAML with a token of <see cref="CreateToken"/>.</summary>
    /// <param name="token">The bearer token.</param>
    public string CreateKubeConfig(string token)
    {
        var authority = _server.Authority is { } certificate
            ? $"\n    certificate-authority-data: {Convert.ToBase64String(Encoding.ASCII.GetBytes(certificate.ExportCertificatePem()))}"
            : "";
        return $"""
            apiVersion: v1
            kind: Config
            current-context: embedded
            clusters:
            - name: embedded
              cluster:
                server: {Address.ToString().TrimEnd('/')}{authority}
            contexts:
            - name: embedded
              context:
                cluster: embedded
                user: embedded
                namespace: default
            users:
            - name: embedded
              user:
                token: {token}

            """;
    }

    /// <summary>Writes <see cref="KubeConfig"/> to a file that only its owner may read.</summary>
    /// <param name="path">The file; overwritten if it exists.</param>
    public void WriteKubeConfig(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var writer = new StreamWriter(path, options);
        writer.Write(KubeConfig);
    }

    /// <summary>Ends the nodes, then the API server, and deletes the data directory if it was a temporary one.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        foreach (var component in Enumerable.Reverse(_components))
        {
            await component.DisposeAsync().ConfigureAwait(false);
        }

        await _server.DisposeAsync().ConfigureAwait(false);
        if (_ownsDataDirectory && Directory.Exists(DataDirectory))
        {
            Directory.Delete(DataDirectory, recursive: true);
        }
    }

    /// <summary>Adds the parts that run on top of the API server, in the order in which they start.</summary>
    partial void AddComponents(List<IClusterComponent> components);
}
