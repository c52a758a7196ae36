//! The requests that Casemate serves: discovery, the list of tools, calls, and news of changes.

use crate::answer;
use crate::guard::correlation_id;
use crate::listing::{Changes, Listing};
use crate::serve::ServeOptions;
use crate::text::shown;
use casemate_policy::Reason;
use casemate_runtime::{Catalog, chain};
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CompleteRequestMethod,
    CompleteRequestParams, CompleteResult, CustomRequest, CustomResult, ErrorCode, ErrorData,
    Implementation, InitializeRequestParams, InitializeResult, ListPromptsRequestMethod,
    ListPromptsResult, ListResourceTemplatesRequestMethod, ListResourceTemplatesResult,
    ListResourcesRequestMethod, ListResourcesResult, ListToolsResult, MetaObject,
    PaginatedRequestParams, ProtocolVersion, ServerCapabilities, ServerConfig, SubscriptionFilter,
    Tool,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{Peer, RoleServer, ServerHandler};
use serde_json::{Value, json};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a client may take a list as fresh: a change on the command line is served within a
/// second.
const LIST_TTL_MS: u64 = 1_000;
/// Characters of a client's word that are repeated to it.
const MAX_ECHO: usize = 128;
/// Key under which each result of the modern protocol names its server.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What ends the work of a handler.
#[derive(Clone, Default)]
pub(crate) struct Ending {
    /// No further message is read.
    pub(crate) input: CancellationToken,
    /// Calls in progress are to stop.
    pub(crate) calls: CancellationToken,
}

/// Answers the requests of one client.
pub(crate) struct Handler {
    catalogs: watch::Receiver<Arc<Catalog>>,
    listing: Arc<Listing>,
    config: ServerConfig,
    server_info: Value,
    initialized: AtomicBool,
    legacy_peer: Arc<OnceLock<Peer<RoleServer>>>,
    ending: Ending,
}

impl Handler {
    pub(crate) fn new(
        catalogs: watch::Receiver<Arc<Catalog>>,
        options: ServeOptions,
        ending: Ending,
    ) -> Self {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tool_list_changed()
            .build();
        let server = Implementation::new("casemate", options.version);
        let server_info = json!({ "name": server.name, "version": server.version });
        let mut config = ServerConfig::new(capabilities).with_server_info(server);
        config.instructions = options.instructions;
        Self {
            catalogs,
            listing: Arc::new(Listing::new(options.tools)),
            config,
            server_info,
            initialized: AtomicBool::new(false),
            legacy_peer: Arc::default(),
            ending,
        }
    }

    /// Where the client of an older handshake is found once it has initialized.
    pub(crate) fn legacy_peer(&self) -> Arc<OnceLock<Peer<RoleServer>>> {
        Arc::clone(&self.legacy_peer)
    }

    /// News of the list from now on.
    pub(crate) fn changes(&self) -> Changes {
        Changes::from_now(self.catalogs.clone(), Arc::clone(&self.listing))
    }

    fn catalog(&self) -> Arc<Catalog> {
        Arc::clone(&self.catalogs.borrow())
    }

    /// Names the server in a result, as the modern protocol asks for.
    fn sign(&self, meta: &mut Option<MetaObject>) {
        meta.get_or_insert_default()
            .insert(SERVER_INFO.to_owned(), self.server_info.clone());
    }
}

fn is_modern(context: &RequestContext<RoleServer>) -> bool {
    context
        .protocol_version()
        .is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// The client in its own words, for the audit log.
fn caller(context: &RequestContext<RoleServer>) -> String {
    match context.client_info() {
        Some(client) => format!("{} {}", client.name, client.version),
        None => "unknown".to_owned(),
    }
}

impl ServerHandler for Handler {
    fn get_info(&self) -> ServerConfig {
        self.config.clone()
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        // A second handshake would change the era of a conversation in its midst.
        if self.initialized.swap(true, Ordering::Relaxed) {
            return Err(ErrorData::invalid_request("already initialized", None));
        }
        context.peer.set_peer_info(request.clone());
        self.negotiate_initialize(&request)
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        // Sent more than once, the first counts: it is the same peer.
        let _ = self.legacy_peer.set(context.peer);
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        if request.is_some_and(|request| request.cursor.is_some()) {
            return Err(ErrorData::invalid_params(
                "Invalid cursor: the list has one page",
                None,
            ));
        }
        let tools = self.listing.tools(&self.catalog());
        let mut result = ListToolsResult::with_all_items(tools.to_vec());
        if is_modern(&context) {
            result = result
                .with_ttl_ms(LIST_TTL_MS)
                .with_cache_scope(CacheScope::Private);
            self.sign(&mut result.meta);
        }
        Ok(result)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        let tools = self.listing.tools(&self.catalog());
        tools.iter().find(|tool| tool.name == name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let tool = self.catalogs.borrow().tool(&request.name).cloned();
        let served = tool.filter(|tool| self.listing.serves(tool.spec()));
        let Some(tool) = served else {
            let name = shown(&request.name, MAX_ECHO);
            return Err(ErrorData::invalid_params(
                format!("Unknown tool: {name}"),
                None,
            ));
        };
        let arguments = Value::Object(request.arguments.unwrap_or_default());
        let mut result = match tool.parse_args(arguments) {
            Err(error) => answer::failure(Reason::InvalidArguments, &error.to_string(), None),
            Ok(arguments) => {
                let cancel = context.ct.child_token();
                let caller = caller(&context);
                let mut call = pin!(tool.call(&caller, arguments, cancel.clone()));
                let report = tokio::select! {
                    biased;
                    report = &mut call => report,
                    () = self.ending.calls.cancelled() => {
                        cancel.cancel();
                        call.await
                    }
                };
                match report {
                    Ok(report) => answer::of(report),
                    Err(error) => {
                        let id = correlation_id();
                        tracing::error!(id, error = chain(&error), "a call could not be started");
                        let message = format!("the call could not be started, logged under {id}");
                        answer::failure(Reason::Internal, &message, None)
                    }
                }
            }
        };
        if is_modern(&context) {
            self.sign(&mut result.meta);
        }
        Ok(result.into())
    }

    fn accepted_subscription_filter(
        &self,
        _requested: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(SubscriptionFilter::builder().tools_list_changed().build())
    }

    async fn listen(&self, subscription: SubscriptionContext) -> Result<(), ErrorData> {
        let mut changes = self.changes();
        loop {
            tokio::select! {
                () = subscription.cancelled() => return Ok(()),
                () = self.ending.input.cancelled() => return Ok(()),
                () = changes.next() => {}
            }
            if let Err(error) = subscription.sink().notify_tool_list_changed().await {
                tracing::debug!(%error, "a subscriber cannot be told of a change");
                return Ok(());
            }
        }
    }

    async fn complete(
        &self,
        _request: CompleteRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        Err(ErrorData::method_not_found::<CompleteRequestMethod>())
    }

    async fn list_prompts(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListPromptsRequestMethod>())
    }

    async fn list_resources(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        Err(ErrorData::method_not_found::<ListResourcesRequestMethod>())
    }

    async fn list_resource_templates(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Err(ErrorData::method_not_found::<
            ListResourceTemplatesRequestMethod,
        >())
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let method = shown(&request.method, MAX_ECHO);
        // A method that is served comes here only when its parameters do not fit.
        Err(if is_served(&request.method) {
            ErrorData::invalid_params(format!("Invalid params of {method}"), None)
        } else {
            ErrorData::new(
                ErrorCode::METHOD_NOT_FOUND,
                format!("Unknown method: {method}"),
                None,
            )
        })
    }
}

/// Methods whose parameters can be wrong; of others the method is.
pub(crate) fn is_served(method: &str) -> bool {
    matches!(
        method,
        "initialize"
            | "ping"
            | "server/discover"
            | "tools/list"
            | "tools/call"
            | "subscriptions/listen"
    )
}
